package daemon

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/tlsfiles"
)

// startingServer serves the API while the embedded etcd waits for other members: the daemon is
// alive and not ready, and reports why.
type startingServer struct {
	http     *http.Server
	listener *startingListener
	serving  sync.WaitGroup

	mu    sync.Mutex
	state error
	// isReasonPublic reports whether any caller may read the reason, which names other hosts.
	isReasonPublic bool
}

// startingListener is a listener whose Close ends Accept, and leaves the listener open.
type startingListener struct{ *net.TCPListener }

// Close implements net.Listener.
func (l startingListener) Close() error { return l.SetDeadline(time.Now()) }

// serveStarting serves the API on the listener until stop is called. The listener is open then.
func serveStarting(listener net.Listener, cfg config.Config, files tlsfiles.Client) (s *startingServer, stop func()) {
	tcp, isTCP := listener.(*net.TCPListener)
	if !isTCP || !cfg.InCluster() {
		return &startingServer{}, func() {}
	}
	s = &startingServer{
		listener: &startingListener{tcp}, isReasonPublic: !cfg.AuthEnabled(),
		state: errors.New("the embedded etcd is starting"),
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: startingTimeout, IdleTimeout: startingTimeout}
	var serving net.Listener = s.listener
	if serverConfig, _ := serverTLS(files); serverConfig != nil {
		serverConfig.NextProtos = []string{"http/1.1"}
		serving = tls.NewListener(serving, serverConfig)
	}
	s.serving.Go(func() { _ = s.http.Serve(serving) }) // ends with stop
	return s, sync.OnceFunc(s.stop)
}

// startingTimeout bounds requests of a daemon that is not ready, and its end.
const startingTimeout = 5 * time.Second

func (s *startingServer) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), startingTimeout)
	defer cancel()
	s.http.SetKeepAlivesEnabled(false)
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	s.serving.Wait()
	_ = s.listener.SetDeadline(time.Time{})
}

// setState sets why the daemon is not ready.
func (s *startingServer) setState(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = errors.New(state)
}

// reason returns why the daemon is not ready, as far as the caller may read it.
func (s *startingServer) reason(r *http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	isVerified := r.TLS != nil && len(r.TLS.VerifiedChains) > 0
	if !s.isReasonPublic && !isVerified {
		return ""
	}
	return s.state.Error()
}

// startingHealth is the response of a probe, with the members of the probes of a started daemon.
type startingHealth struct {
	Status string          `json:"status"`
	Checks []startingCheck `json:"checks"`
}

type startingCheck struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// ServeHTTP implements http.Handler.
func (s *startingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reason := s.reason(r)
	switch r.URL.Path {
	case "/healthz":
		respond(w, http.StatusOK, "application/json", startingHealth{Status: "ok", Checks: []startingCheck{}})
	case "/readyz":
		respond(w, http.StatusServiceUnavailable, "application/json", startingHealth{
			Status: "unready", Checks: []startingCheck{{Name: "etcd", Error: reason}},
		})
	default:
		detail := "the daemon is starting"
		if reason != "" {
			detail += ": " + reason
		}
		respond(w, http.StatusServiceUnavailable, api.ProblemMediaType, api.Problem{
			Type: api.ProblemTypePrefix + string(api.CodeUnavailable), Title: "The store is unavailable", Status: http.StatusServiceUnavailable,
			Code: api.CodeUnavailable, Detail: detail,
		})
	}
}

func respond(w http.ResponseWriter, status int, mediaType string, body any) {
	content, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(content, '\n'))
}
