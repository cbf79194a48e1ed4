package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// game is the state of the server.
type game struct {
	options options
	args    []string
	started time.Time

	mu     sync.Mutex
	hung   chan struct{} // guarded by mu; nil if health responds, closed by unhang
	stderr io.Writer     // guarded by mu
}

func newGame(o options, args []string, stderr io.Writer) *game {
	return &game{options: o, args: args, started: time.Now(), stderr: stderr}
}

// logf writes a line to standard error, not concurrently with log.
func (g *game) logf(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	logf(g.stderr, format, args...)
}

// routes returns the handler of all requests.
func (g *game) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", g.info)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, version+"\n") })
	mux.HandleFunc("GET /env", showVariable)
	mux.HandleFunc("GET /healthz", g.health)
	mux.HandleFunc("POST /hang", g.hang)
	mux.HandleFunc("POST /unhang", g.unhang)
	mux.HandleFunc("POST /log", g.log)
	mux.HandleFunc("POST /crash", g.crash)
	return mux
}

// info describes the process.
func (g *game) info(w http.ResponseWriter, _ *http.Request) {
	directory, _ := os.Getwd() // empty if it was removed
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"version":        version,
		"pid":            os.Getpid(),
		"uptime_seconds": time.Since(g.started).Seconds(),
		"args":           g.args,
		"directory":      directory,
		"game_id":        os.Getenv("RTMANAGER_GAME_ID"),
		"image":          os.Getenv("RTMANAGER_IMAGE"),
		"generation":     os.Getenv("RTMANAGER_GENERATION"),
	})
}

// showVariable returns the environment variable ?name=, and 404 if it is not set.
func showVariable(w http.ResponseWriter, r *http.Request) {
	value, found := os.LookupEnv(r.FormValue("name"))
	if !found {
		http.Error(w, "no such variable", http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, value)
}

// log writes ?times= lines to standard error; each is ?text=, ?repeat= times.
func (g *game) log(w http.ResponseWriter, r *http.Request) {
	times, timesErr := numberParam(r, "times", 1)
	repeat, repeatErr := numberParam(r, "repeat", 1)
	if err := errors.Join(timesErr, repeatErr); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = io.WriteString(g.stderr, strings.Repeat(strings.Repeat(r.FormValue("text"), repeat)+"\n", times))
}

// crash exits at once with ?code=, so it sends no response.
func (g *game) crash(w http.ResponseWriter, r *http.Request) {
	code, err := numberParam(r, "code", 1)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.logf("crashes with code %d", code)
	os.Exit(code)
}

// numberParam returns the number of a request parameter, or missing if it is not set.
func numberParam(r *http.Request, name string, missing int) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return missing, nil
	}
	number, err := strconv.ParseUint(text, 10, 20)
	return int(number), err
}
