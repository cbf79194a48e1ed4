// Command game is the smallest game: it tells of itself over HTTP and does what
// its environment says.
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
		fmt.Fprintln(os.Stderr, "to the errors")
	}
	for i := range lines {
		fmt.Println("line", i, strings.Repeat("x", i%100))
	}
	if os.Getenv("GAME_EAT") != "" {
		eat()
	}
	if code, err := strconv.Atoi(os.Getenv("GAME_EXIT")); err == nil {
		os.Exit(code)
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	if os.Getenv("GAME_STUBBORN") == "" {
		go func() { <-asked; os.Exit(3) }()
	}
	http.HandleFunc("/", tell)
	fmt.Println(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
	os.Exit(1)
}

// tell writes what the game is and what it may do.
func tell(w http.ResponseWriter, _ *http.Request) {
	status, _ := os.ReadFile("/proc/self/status")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"env": os.Environ(), "args": os.Args[1:], "uid": os.Getuid(), "status": string(status),
		"root": writable("/"), "tmp": writable("/tmp/"), "state": writable("/state/"),
	})
}

func writable(dir string) bool { return os.WriteFile(dir+"probe", []byte("here"), 0o600) == nil }

func eat() {
	var eaten [][]byte
	for {
		piece := make([]byte, 1<<20)
		for i := range piece {
			piece[i] = 1
		}
		eaten = append(eaten, piece)
		_ = eaten
	}
}
