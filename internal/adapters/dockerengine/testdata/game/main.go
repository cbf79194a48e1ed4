// Command game is a minimal game: it describes itself over HTTP, and its environment
// variables control it.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	lines, _ := strconv.Atoi(os.Getenv("GAME_LINES"))
	if lines > 0 {
		fmt.Fprintln(os.Stderr, "standard error")
	}
	for i := range lines {
		fmt.Println("line", i, strings.Repeat("x", i%100))
	}
	if os.Getenv("GAME_ALLOCATE") != "" {
		allocate()
	}
	if code, err := strconv.Atoi(os.Getenv("GAME_EXIT")); err == nil {
		os.Exit(code)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() { <-signals; os.Exit(3) }()
	http.HandleFunc("/", report)
	fmt.Println(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
	os.Exit(1)
}

// report describes the process and its permissions.
func report(w http.ResponseWriter, _ *http.Request) {
	status, _ := os.ReadFile("/proc/self/status")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"env": os.Environ(), "args": os.Args[1:], "uid": os.Getuid(), "status": string(status),
		"root": isWritable("/"), "tmp": isWritable("/tmp/"), "state": isWritable("/state/"),
	})
}

func isWritable(dir string) bool { return os.WriteFile(dir+"probe", []byte("here"), 0o600) == nil }

// allocate allocates memory until the process is killed.
func allocate() {
	var allocated [][]byte
	for {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = 1
		}
		allocated = append(allocated, block)
		_ = allocated
	}
}
