package main

import (
	"net/http"
	"time"
)

// health responds with 200 or 503, or not at all while the game hangs.
func (g *game) health(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	hung := g.hung
	g.mu.Unlock()
	if hung != nil {
		select {
		case <-hung:
		case <-r.Context().Done():
			return
		}
	}
	if g.options.isNeverHealthy || time.Since(g.started) < g.options.healthyAfter {
		http.Error(w, "not healthy", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// hang makes health block.
func (g *game) hang(http.ResponseWriter, *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hung == nil {
		g.hung = make(chan struct{})
	}
}

// unhang makes health respond.
func (g *game) unhang(http.ResponseWriter, *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hung != nil {
		close(g.hung)
		g.hung = nil
	}
}
