package cli_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// A hint after a conflict names something that can succeed.
func TestHintsAfterAConflict(t *testing.T) {
	t.Parallel()
	removed := runningRecord("game")
	removed.Status, removed.RemovedAt, removed.CurrentContainerID = runtime.StatusRemoved, &noon, ""
	for name, c := range map[string]struct {
		current runtime.RuntimeRecord
		args    []string
		want    string
	}{
		"same change":        {stoppedRecord("game"), []string{"--from", "running", "--to", "stopped"}, "the game is already stopped"},
		"still possible":     {stoppedRecord("game"), []string{"--from", "running", "--to", "removed"}, "use --from stopped to change the current record"},
		"no longer possible": {removed, []string{"--from", "running", "--to", "stopped"}, "a removed game cannot become stopped"},
		"too early":          {runningRecord("game"), []string{"--from", "stopped", "--to", "running"}, "the game is already running"},
		"another container":  {runningRecord("game"), []string{"--from", "running", "--to", "stopped", "--container-id", "x"}, "--container-id guards against changing the record of another container"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler, _ := newAPI(t, c.current)
			got := run(t, serveHandler(t, handler), append([]string{"set-status", "game"}, c.args...)...)
			got.requireCode(t, 3, c.args)
			require.Contains(t, got.err, "hint: `rtmanager history game` shows the change; "+c.want)
			require.Contains(t, got.err, "\n  current: status "+string(c.current.Status)+", container ")
			require.Contains(t, got.err, "since 2026-03-01T12:00:00Z (24h ago)\n")
		})
	}
}

func TestHintsAfterAStalePut(t *testing.T) {
	t.Parallel()
	handler, store := newAPI(t, runningRecord("game"))
	server := serveHandler(t, handler)
	current, err := store.GetVersioned(t.Context(), "game")
	require.NoError(t, err)
	put := func(id, revision string) result {
		args := []string{"put", "-f", "-", "--if-revision", revision}
		return commandLine{args: args, server: server, stdin: records(id)}.run(t.Context())
	}
	got := put("game", "0")
	got.requireCode(t, 3, "put an existing game as a new one")
	require.Contains(t, got.err, fmt.Sprintf("--if-revision %d overwrites the current record", current.Revision))
	got = put("missing", "7")
	got.requireCode(t, 3, "put a missing game over a revision")
	require.Contains(t, got.err, "but there is no record")
	require.Contains(t, got.err, "hint: omit --if-revision, or use 0, to insert the record")
	require.NotContains(t, got.err, "current:")
}

// A suggested command can be copied into a shell, with any id.
func TestSuggestedCommandsAreSafeToCopy(t *testing.T) {
	t.Parallel()
	for id, word := range map[string]string{
		"$(reboot)":      "'$(reboot)'",
		"a;rm -rf ~":     "'a;rm -rf ~'",
		"it's":           `'it'\''s'`,
		"-rf":            "-- '-rf'",
		"a\u202eb":       `$'a\xe2\x80\xaeb'`,
		"eu/chess-17@1%": "eu/chess-17@1%",
		"großes-🎮":       "'großes-🎮'",
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			handler, _ := newAPI(t, stoppedRecord(id))
			got := run(t, serveHandler(t, handler), "set-status", "--from", "running", "--to", "removed", "--", id)
			got.requireCode(t, 3, id)
			require.Contains(t, got.err, "hint: `rtmanager history "+word+"` shows the change")
			require.NotContains(t, got.err, "\u202e")
		})
	}
}

func TestNoDaemonResponds(t *testing.T) {
	t.Parallel()
	for command, args := range clientCommands {
		got := commandLine{args: append([]string{command}, args...), stdin: records("game")}.run(t.Context())
		got.requireCode(t, 5, command)
		require.Contains(t, got.err, "connection refused")
		require.Contains(t, got.err, "hint: no daemon responds at "+unusedAddress+"; start one with `rtmanager serve`, or select another with --server or RTMANAGER_SERVER\n")
	}
}

func TestPasswordOfAServerIsNotPrinted(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"list", "watch", "version"} {
		got := run(t, "http://ada:secret@127.0.0.1:1", command)
		got.requireCode(t, 5, command)
		require.Contains(t, got.err, "hint: no daemon responds at http://…@127.0.0.1:1;")
		require.NotContains(t, got.err, "secret")
	}
}

// unavailableStore is the store of a daemon that responds but has lost its etcd.
type unavailableStore struct{ httpserver.Store }

func (unavailableStore) ReadSnapshot(context.Context, ports.PageQuery) (ports.RecordSnapshot, error) {
	return nil, nil
}

func (unavailableStore) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	return ports.Page{}, fmt.Errorf("read from etcd: %w", runtime.ErrUnavailable)
}

func TestTheDaemonRespondsButItsStoreDoesNot(t *testing.T) {
	t.Parallel()
	daemon, err := httpserver.New(unavailableStore{memstore.New()}, httpserver.Config{})
	require.NoError(t, err)
	server := serveHandler(t, daemon.Handler())
	got := run(t, server, "list")
	got.requireCode(t, 5, "list")
	require.Contains(t, got.err, "hint: the daemon at "+server+" is running but cannot do this now; its log has the reason, and `rtmanager cluster status` shows the state of its etcd")
}

// A server that is not a daemon is recognized.
func TestAnotherServerResponds(t *testing.T) {
	t.Parallel()
	server := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	for command, args := range clientCommands {
		got := commandLine{args: append([]string{command}, args...), server: server, stdin: records("game")}.run(t.Context())
		got.requireCode(t, 1, command)
		require.Contains(t, got.err, "418 I'm a teapot, which is not a response of the API")
		if !strings.Contains(got.err, "outcome of the write is unknown") {
			require.Contains(t, got.err, "hint: "+server+" is not an rtmanager daemon")
		}
	}
}

func TestCompactedAndForeignRevisions(t *testing.T) {
	t.Parallel()
	handler, store := newAPI(t, runningRecord("a"), runningRecord("b"), runningRecord("c"))
	server := serveHandler(t, handler)
	last, err := store.Revision(t.Context())
	require.NoError(t, err)
	require.NoError(t, store.Compact(last))

	got := run(t, server, "watch", "--from-revision", "1")
	got.requireCode(t, 1, "watch from a compacted revision")
	require.Contains(t, got.err, "hint: restart with a snapshot: omit --from-revision, or add --resync")
	got = run(t, server, "watch", "--from-revision", "99999")
	got.requireCode(t, 1, "watch from the future")
	require.Contains(t, got.err, "hint: the revision is in the future, or belongs to another store: omit --from-revision")
}

func TestNoSuchGame(t *testing.T) {
	t.Parallel()
	handler, _ := newAPI(t)
	server := serveHandler(t, handler)
	for _, args := range [][]string{
		{"get", "missing"}, {"history", "missing"}, {"set-status", "missing", "--from", "running", "--to", "stopped"},
	} {
		got := run(t, server, args...)
		got.requireCode(t, 4, args)
		require.Contains(t, got.err, "rtmanager: "+args[0]+" missing: no such game\nhint: `rtmanager list` lists the games\n")
	}
}
