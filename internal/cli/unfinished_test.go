package cli_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// silent answers as the API does, but says nothing to requests that stuck picks;
// those only end with their connection. It tells of each on asked.
func silent(t *testing.T, stuck func(*http.Request) bool) (server string, asked <-chan struct{}) {
	t.Helper()
	handler, _ := api(t, game("game"))
	arrived := make(chan struct{}, 100)
	server = serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !stuck(r) {
			handler.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	return server, arrived
}

func everything(*http.Request) bool { return true }

// Whoever interrupts a read needs no message; of a write it must be said that it
// may have been done, and how to find out.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string // empty: nothing at all
	}{
		"list":          {[]string{"list"}, ""},
		"get":           {[]string{"get", "game"}, ""},
		"watch":         {[]string{"watch"}, ""},
		"fsck":          {[]string{"fsck"}, ""},
		"set-status":    {[]string{"set-status", "game", "--from", "running", "--to", "stopped", "--operation-id", "op 1"}, "hint: it may have been done or not; repeating it with --operation-id 'op 1' is safe\n"},
		"put":           {[]string{"put", "-f", "-", "--operation-id", "op-1"}, "hint: it may have been done or not; repeating it with --operation-id op-1 is safe\n"},
		"stop":          {[]string{"stop", "game", "--operation-id", "op-1"}, "hint: operation op-1 may have been begun, and then goes on; `rtmanager explain game` shows it, and the same command with --operation-id op-1 waits for it\n"},
		"explain":       {[]string{"explain", "game"}, ""},
		"fsck --repair": {[]string{"fsck", "--repair"}, "hint: some of it may have been mended; `rtmanager fsck` shows what is left\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, asked := silent(t, everything)
			ctx, interrupt := context.WithCancel(t.Context())
			go func() {
				<-asked
				interrupt()
			}()
			got := commandLine{args: c.args, server: server, stdin: records("game")}.run(ctx)
			got.requireCode(t, 130, c.args)
			if c.want == "" {
				require.Empty(t, got.err)
			} else {
				require.Contains(t, got.err, "outcome of the write is unknown")
				require.True(t, strings.HasSuffix(got.err, c.want), "complained\n%s", got.err)
			}
		})
	}
}

func TestTimedOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"list":       {[]string{"list"}, "hint: it took longer than 1s; a larger --timeout waits longer\n"},
		"watch":      {[]string{"watch"}, "hint: it took longer than 1s"},
		"fsck":       {[]string{"fsck"}, "hint: it took longer than 1s"},
		"version":    {[]string{"version"}, "hint: it took longer than 1s"},
		"set-status": {[]string{"set-status", "game", "--from", "running", "--to", "stopped", "--operation-id", "op"}, "repeating it with --operation-id op is safe\n"},
		"start":      {[]string{"start", "game", "--wait", "--operation-id", "op"}, "the same command with --operation-id op waits for it\n"},
		"drift":      {[]string{"drift"}, "hint: it took longer than 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _ := silent(t, everything)
			got := run(t, server, append(c.args, "--timeout", "1s")...)
			got.requireCode(t, 124, c.args)
			require.Contains(t, got.err, c.want)
		})
	}
}

// A watch that works ends too when it is told how long to watch.
func TestWatchEndsWithItsTimeout(t *testing.T) {
	t.Parallel()
	handler, _ := api(t, game("game"))
	got := run(t, serving(t, handler), "watch", "--timeout", "100ms")
	got.requireCode(t, 124, "watch")
	require.Contains(t, got.err, "hint: it took longer than 100ms")
}

// Each record of a put has the whole time, and a put that stops half-way says
// how far it came and how to find out about the record at which it stopped.
func TestPutStopsHalfWay(t *testing.T) {
	t.Parallel()
	server, _ := silent(t, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/c") })
	got := commandLine{
		args: []string{"put", "-f", "-", "--timeout", "3s"}, server: server, stdin: records("a", "b", "c", "d"),
	}.run(t.Context())
	got.requireCode(t, 124, "put")
	require.Equal(t, "a put: running, revision 3\nb put: running, revision 4\n", got.out)
	require.Contains(t, got.err, "rtmanager: put: c: ")
	require.Contains(t, got.err, "\n  2 of 4 records had been written before\n")
	require.Regexp(t, "hint: it may have been done or not; look for operation [0-9a-f-]{36} in `rtmanager history -o wide c`", got.err)
}

// broken is an output that takes nothing, like a disk that is full.
type broken struct{}

var errFull = errors.New("no space left on device")

func (broken) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	handler, _ := api(t, game("game"), stopped("other"))
	server := serving(t, handler)
	for verb, sound := range verbs {
		for _, form := range []string{"", "table", "json", "yaml"} {
			args := append([]string{verb}, sound...)
			if form != "" {
				args = append(args, "-o", form)
			}
			if verb == "set-status" {
				args[1] = "other"
				args = append(args, "--from", "stopped", "--to", "running", "--operation-id", "same")
			}
			got := commandLine{args: args, server: server, stdin: records("game"), stdout: broken{}}.run(t.Context())
			got.requireCode(t, 1, args)
			require.Contains(t, got.err, errFull.Error(), "%q", args)
		}
	}
}

func TestNoTimeLimit(t *testing.T) {
	t.Parallel()
	handler, _ := api(t, game("game"))
	server := serving(t, handler)
	for _, args := range [][]string{{"get", "game"}, {"set-status", "game", "--from", "running", "--to", "stopped"}, {"fsck"}} {
		got := run(t, server, append(args, "--timeout", "0")...)
		got.requireCode(t, 0, args)
	}
}
