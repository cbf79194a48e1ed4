package cli_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// What a loser is advised must be something that can work.
func TestAdviceAfterALostRace(t *testing.T) {
	t.Parallel()
	removed := game("game")
	removed.Status, removed.RemovedAt, removed.CurrentContainerID = runtime.StatusRemoved, &noon, ""
	for name, c := range map[string]struct {
		stands runtime.RuntimeRecord
		args   []string
		want   string
	}{
		"somebody did the same": {stopped("game"), []string{"--from", "running", "--to", "stopped"}, "it is stopped already"},
		"still possible":        {stopped("game"), []string{"--from", "running", "--to", "removed"}, "--from stopped acts on what stands"},
		"not possible any more": {removed, []string{"--from", "running", "--to", "stopped"}, "what is removed cannot become stopped"},
		"too early":             {game("game"), []string{"--from", "stopped", "--to", "running"}, "it is running already"},
		"another container":     {game("game"), []string{"--from", "running", "--to", "stopped", "--container-id", "x"}, "--container-id guards against acting on another container"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler, _ := api(t, c.stands)
			got := run(t, serving(t, handler), append([]string{"set-status", "game"}, c.args...)...)
			got.requireCode(t, 3, c.args)
			require.Contains(t, got.err, "hint: `rtmanager history game` shows who changed it; "+c.want)
			require.Contains(t, got.err, "\n  stands: status "+string(c.stands.Status)+", container ")
			require.Contains(t, got.err, "since 2026-03-01T12:00:00Z (24h ago)\n")
		})
	}
}

func TestAdviceAfterAStalePut(t *testing.T) {
	t.Parallel()
	handler, store := api(t, game("game"))
	server := serving(t, handler)
	stands, err := store.GetVersioned(t.Context(), "game")
	require.NoError(t, err)
	put := func(id, revision string) result {
		args := []string{"put", "-f", "-", "--if-revision", revision}
		return commandLine{args: args, server: server, stdin: records(id)}.run(t.Context())
	}
	got := put("game", "0")
	got.requireCode(t, 3, "put a game that is there as a new one")
	require.Contains(t, got.err, fmt.Sprintf("--if-revision %d would overwrite what stands", stands.Revision))
	got = put("nobody", "7")
	got.requireCode(t, 3, "put a game that is not there over a revision")
	require.Contains(t, got.err, "but there is no record")
	require.Contains(t, got.err, "hint: leave --if-revision out, or use 0, to insert it")
	require.NotContains(t, got.err, "stands:")
}

// An id is chosen by somebody else, and a suggested command is made to be
// copied into a shell.
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
			handler, _ := api(t, stopped(id))
			got := run(t, serving(t, handler), "set-status", "--from", "running", "--to", "removed", "--", id)
			got.requireCode(t, 3, id)
			require.Contains(t, got.err, "hint: `rtmanager history "+word+"` shows who changed it")
			require.NotContains(t, got.err, "\u202e")
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	for verb, args := range verbs {
		got := commandLine{args: append([]string{verb}, args...), stdin: records("game")}.run(t.Context())
		got.requireCode(t, 5, verb)
		require.Contains(t, got.err, "connection refused")
		require.Contains(t, got.err, "hint: asked "+nobody+"; start a daemon with `rtmanager serve`, or name another with --server or RTMANAGER_SERVER\n")
	}
}

func TestPasswordOfAServerIsNotTold(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"list", "watch", "version"} {
		got := run(t, "http://ada:secret@127.0.0.1:1", verb)
		got.requireCode(t, 5, verb)
		require.Contains(t, got.err, "hint: asked http://…@127.0.0.1:1;")
		require.NotContains(t, got.err, "secret")
	}
}

// away is a store behind a daemon that answers, but has no etcd to answer from.
type away struct{ ports.Store }

func (away) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	return ports.Page{}, fmt.Errorf("read from etcd: %w", runtime.ErrUnavailable)
}

func TestTheDaemonAnswersButItsStoreDoesNot(t *testing.T) {
	t.Parallel()
	daemon, err := httpserver.New(away{memstore.New()}, httpserver.Config{})
	require.NoError(t, err)
	server := serving(t, daemon.Handler())
	got := run(t, server, "list")
	got.requireCode(t, 5, "list")
	require.Contains(t, got.err, "hint: the daemon at "+server+" answers, but cannot do this now; its log says why")
}

// Whatever else listens there is told from a daemon.
func TestSomethingElseAnswers(t *testing.T) {
	t.Parallel()
	server := serving(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	for verb, args := range verbs {
		got := commandLine{args: append([]string{verb}, args...), server: server, stdin: records("game")}.run(t.Context())
		got.requireCode(t, 1, verb)
		require.Contains(t, got.err, "418 I'm a teapot, which is not an answer of the API")
	}
}

func TestForgottenAndForeignRevisions(t *testing.T) {
	t.Parallel()
	handler, store := api(t, game("a"), game("b"), game("c"))
	server := serving(t, handler)
	last, err := store.Revision(t.Context())
	require.NoError(t, err)
	require.NoError(t, store.Compact(last))

	got := run(t, server, "watch", "--from-revision", "1")
	got.requireCode(t, 1, "watch from a compacted revision")
	require.Contains(t, got.err, "hint: start over with a snapshot: leave --from-revision out, or add --resync")
	got = run(t, server, "watch", "--from-revision", "99999")
	got.requireCode(t, 1, "watch from the future")
	require.Contains(t, got.err, "hint: the revision is from the future, or of another store: leave --from-revision out")
}

func TestNoSuchGame(t *testing.T) {
	t.Parallel()
	handler, _ := api(t)
	server := serving(t, handler)
	for _, args := range [][]string{
		{"get", "nobody"}, {"history", "nobody"}, {"set-status", "nobody", "--from", "running", "--to", "stopped"},
	} {
		got := run(t, server, args...)
		got.requireCode(t, 4, args)
		require.Contains(t, got.err, "rtmanager: "+args[0]+" nobody: ")
		require.Contains(t, got.err, "no such game\nhint: `rtmanager list` shows the games there are\n")
	}
}
