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

// game is what the requests ask and change.
type game struct {
	options options
	args    []string
	started time.Time

	mu     sync.Mutex
	hung   chan struct{} // guarded by mu; nil, or closed once health answers again
	stderr io.Writer     // guarded by mu
}

func newGame(o options, args []string, stderr io.Writer) *game {
	return &game{options: o, args: args, started: time.Now(), stderr: stderr}
}

func (g *game) say(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	say(g.stderr, format, args...)
}

func (g *game) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", g.tell)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, version+"\n") })
	mux.HandleFunc("GET /env", tellVariable)
	mux.HandleFunc("GET /healthz", g.health)
	mux.HandleFunc("POST /hang", g.hang)
	mux.HandleFunc("POST /unhang", g.unhang)
	mux.HandleFunc("POST /say", g.repeat)
	mux.HandleFunc("POST /crash", g.crash)
	return mux
}

// tell says who answers.
func (g *game) tell(w http.ResponseWriter, _ *http.Request) {
	directory, _ := os.Getwd() // empty where it is gone
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

// tellVariable answers with the variable ?name=, 404 where there is none.
func tellVariable(w http.ResponseWriter, r *http.Request) {
	value, there := os.LookupEnv(r.FormValue("name"))
	if !there {
		http.Error(w, "no such variable", http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, value)
}

// repeat writes a line to standard error, ?times= times: the text ?text=, ?repeat=
// times.
func (g *game) repeat(w http.ResponseWriter, r *http.Request) {
	times, err := numberOf(r, "times", 1)
	repeat, wrong := numberOf(r, "repeat", 1)
	if err := errors.Join(err, wrong); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = io.WriteString(g.stderr, strings.Repeat(strings.Repeat(r.FormValue("text"), repeat)+"\n", times))
}

// crash exits at once with ?code=, so it never answers.
func (g *game) crash(w http.ResponseWriter, r *http.Request) {
	code, err := numberOf(r, "code", 1)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.say("crashes with code %d", code)
	os.Exit(code)
}

func numberOf(r *http.Request, name string, absent int) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return absent, nil
	}
	number, err := strconv.ParseUint(text, 10, 20)
	return int(number), err
}
