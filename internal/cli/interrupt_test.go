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

// hangingServer serves the API, but hangs on the requests that hangs selects, until their
// connection ends. It sends on the channel for each of them.
func hangingServer(t *testing.T, hangs func(*http.Request) bool) (server string, received <-chan struct{}) {
	t.Helper()
	handler, _ := newAPI(t, runningRecord("game"))
	arrived := make(chan struct{}, 100)
	server = serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hangs(r) {
			handler.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	return server, arrived
}

func allRequests(*http.Request) bool { return true }

// An interrupted read prints nothing. An interrupted write reports that it may have been
// applied, and how to find out.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string // empty: no output
	}{
		"list":          {[]string{"list"}, ""},
		"get":           {[]string{"get", "game"}, ""},
		"watch":         {[]string{"watch"}, ""},
		"fsck":          {[]string{"fsck"}, ""},
		"set-status":    {[]string{"set-status", "game", "--from", "running", "--to", "stopped", "--operation-id", "op 1"}, "hint: the write may or may not have been applied; it is safe to repeat it with --operation-id 'op 1'\n"},
		"put":           {[]string{"put", "-f", "-", "--operation-id", "op-1"}, "hint: the write may or may not have been applied; it is safe to repeat it with --operation-id op-1\n"},
		"stop":          {[]string{"stop", "game", "--operation-id", "op-1"}, "hint: operation op-1 may have started, and then continues; `rtmanager explain game` shows it, and the same command with --operation-id op-1 waits for it\n"},
		"explain":       {[]string{"explain", "game"}, ""},
		"fsck --repair": {[]string{"fsck", "--repair"}, "hint: some repairs may have been made; `rtmanager fsck` shows what remains\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, received := hangingServer(t, allRequests)
			ctx, interrupt := context.WithCancel(t.Context())
			go func() {
				<-received
				interrupt()
			}()
			got := commandLine{args: c.args, server: server, stdin: records("game")}.run(ctx)
			got.requireCode(t, 130, c.args)
			if c.want == "" {
				require.Empty(t, got.err)
			} else {
				require.Contains(t, got.err, "outcome of the write is unknown")
				require.True(t, strings.HasSuffix(got.err, c.want), "printed\n%s", got.err)
			}
		})
	}
}

func TestTimedOut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"list":       {[]string{"list"}, "hint: it took longer than 1s; increase --timeout\n"},
		"watch":      {[]string{"watch"}, "rtmanager: watch: timed out after 1s\n"},
		"fsck":       {[]string{"fsck"}, "hint: it took longer than 1s"},
		"version":    {[]string{"version"}, "hint: it took longer than 1s"},
		"set-status": {[]string{"set-status", "game", "--from", "running", "--to", "stopped", "--operation-id", "op"}, "it is safe to repeat it with --operation-id op\n"},
		"start":      {[]string{"start", "game", "--wait", "--operation-id", "op"}, "the same command with --operation-id op waits for it\n"},
		"drift":      {[]string{"drift"}, "hint: it took longer than 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _ := hangingServer(t, allRequests)
			got := run(t, server, append(c.args, "--timeout", "1s")...)
			got.requireCode(t, 124, c.args)
			require.Contains(t, got.err, c.want)
		})
	}
}

// A watch without errors ends at its timeout too.
func TestWatchEndsWithItsTimeout(t *testing.T) {
	t.Parallel()
	handler, _ := newAPI(t, runningRecord("game"))
	got := run(t, serveHandler(t, handler), "watch", "--timeout", "100ms")
	got.requireCode(t, 124, "watch")
	require.Equal(t, "rtmanager: watch: timed out after 100ms\n", got.err)
}

// Each record of a put has its own timeout. A put that fails at one record reports how
// many it has written, and how to find out about that record.
func TestPutFailsAtOneOfSeveralRecords(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	server, _ := hangingServer(t, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/c") })
	got := commandLine{
		args: []string{"put", "-f", "-", "--timeout", "3s"}, server: server, stdin: records("a", "b", "c", "d"),
	}.run(t.Context())
	got.requireCode(t, 124, "put")
	require.Equal(t, "a put: running, revision 3\nb put: running, revision 4\n", got.out)
	require.Contains(t, got.err, "rtmanager: put: c: ")
	require.Contains(t, got.err, "\n  2 of 4 records were written before\n")
	require.Regexp(t, "hint: the write may or may not have been applied; search for operation op_[0-9a-z]{26} in `rtmanager history -o wide c`", got.err)
}

// fullDisk is an output that fails every write.
type fullDisk struct{}

var errFull = errors.New("no space left on device")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	handler, _ := newAPI(t, runningRecord("game"), stoppedRecord("other"))
	server := serveHandler(t, handler)
	for command, valid := range clientCommands {
		for _, format := range []string{"", "table", "json", "yaml"} {
			args := append([]string{command}, valid...)
			if format != "" {
				args = append(args, "-o", format)
			}
			if command == "set-status" {
				args[1] = "other"
				args = append(args, "--from", "stopped", "--to", "running", "--operation-id", "same")
			}
			got := commandLine{args: args, server: server, stdin: records("game"), stdout: fullDisk{}}.run(t.Context())
			got.requireCode(t, 1, args)
			require.Contains(t, got.err, errFull.Error(), "%q", args)
		}
	}
}

func TestNoTimeLimit(t *testing.T) {
	t.Parallel()
	handler, _ := newAPI(t, runningRecord("game"))
	server := serveHandler(t, handler)
	for _, args := range [][]string{{"get", "game"}, {"set-status", "game", "--from", "running", "--to", "stopped"}, {"fsck"}} {
		got := run(t, server, append(args, "--timeout", "0")...)
		got.requireCode(t, 0, args)
	}
}
