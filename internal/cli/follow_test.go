package cli_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/memstore"
)

// follow runs a command that follows changes, calls change when the command has printed the
// records, and interrupts the command when it has printed the text.
func follow(t *testing.T, change func(*memstore.Store), until string, args ...string) string {
	t.Helper()
	handler, store := newAPI(t, runningRecord("game"), stoppedRecord("other"))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	hasChanged := false
	var out notifyingWriter
	out.onWrite = func() {
		if !hasChanged {
			hasChanged = true
			change(store)
		}
		if strings.Contains(out.String(), until) {
			interrupt()
		}
	}
	got := commandLine{args: args, server: serveHandler(t, handler), stdout: &out}.run(ctx)
	got.requireCode(t, 130, args)
	require.Empty(t, got.err)
	return out.String()
}

// A followed list prints its table and then a row for each change of a row.
func TestListFollowsChanges(t *testing.T) {
	t.Parallel()
	change := func(store *memstore.Store) {
		relabeled := runningRecord("game") // no column shows the labels
		relabeled.Labels = map[string]string{"env": "prod"}
		require.NoError(t, store.Upsert(t.Context(), relabeled))
		require.NoError(t, store.Upsert(t.Context(), runningRecord("third")))
		require.NoError(t, store.Upsert(t.Context(), stoppedRecord("game")))
	}
	text := follow(t, change, "game   stopped", "list", "--watch")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	require.Len(t, lines, 5, text)
	for i, want := range []string{`^GAME   STATUS  +HEALTH`, `^game   running  `, `^other  stopped  `, `^third  running  `, `^game   stopped  `} {
		require.Regexp(t, want, lines[i])
	}
}

// A filter also shows the change after which a record no longer matches, as one value per line.
func TestFilteredListFollowsChangesAsJSON(t *testing.T) {
	t.Parallel()
	change := func(store *memstore.Store) {
		require.NoError(t, store.Upsert(t.Context(), runningRecord("other")))
		require.NoError(t, store.Upsert(t.Context(), stoppedRecord("game")))
	}
	text := follow(t, change, `"game_id":"game","status":"stopped"`, "list", "-w", "--status", "running", "-o", "json")
	var games []string
	decoder := json.NewDecoder(strings.NewReader(text))
	for decoder.More() {
		var item struct {
			GameID   string `json:"game_id"`
			Status   string `json:"status"`
			Revision int64  `json:"revision"`
		}
		require.NoError(t, decoder.Decode(&item))
		require.Positive(t, item.Revision)
		games = append(games, item.GameID+" "+item.Status)
	}
	require.Equal(t, []string{"game running", "other running", "game stopped"}, games)
}

func TestGetFollowsOneGame(t *testing.T) {
	t.Parallel()
	change := func(store *memstore.Store) {
		require.NoError(t, store.Upsert(t.Context(), runningRecord("other")))
		require.NoError(t, store.Upsert(t.Context(), stoppedRecord("game")))
	}
	text := follow(t, change, "stopped", "get", "game", "-w", "-o", "custom-columns=GAME:.game_id,STATUS:.status")
	require.Equal(t, "GAME  STATUS\ngame  running\ngame  stopped\n", text)

	handler, _ := newAPI(t, runningRecord("game"))
	got := run(t, serveHandler(t, handler), "get", "gam", "-w")
	got.requireCode(t, 4, "a game that does not exist")
	require.Equal(t, "rtmanager: get gam: no such game\nhint: `rtmanager list` lists the games\n", got.err)
	run(t, "", "get", "game", "--watch", "--spec").requireCode(t, 2, "--watch --spec")
	run(t, "", "list", "--watch", "--limit", "1").requireCode(t, 2, "--watch --limit")
}
