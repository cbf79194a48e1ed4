package cli_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	record := localRecord("g")
	require.NoError(t, store.Upsert(t.Context(), record))
	require.NoError(t, store.Upsert(t.Context(), localRecord("other")))
	_, err := store.Transition(t.Context(), ports.TransitionInput{
		UpdateStatusInput: ports.UpdateStatusInput{GameID: "g", ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: record.CurrentContainerID, To: runtime.StatusStopped, Now: noon},
		Origin:            ports.Origin{Actor: "ada", Reason: "maintenance", OperationID: "op1/rollback"},
	})
	require.NoError(t, err)
	daemon, _, err := servertest.New(store, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1"}, Local: &fakeManager{}, Nodes: testNodes()[:1]})
	require.NoError(t, err)
	server := serveHandler(t, daemon.Handler())
	run := func(args ...string) result {
		return commandLine{args: append([]string{"events", "--timeout", "300ms"}, args...), server: server}.run(t.Context())
	}
	for name, c := range map[string]struct {
		args []string
		out  string
		err  string
		code int
	}{
		"one game":  {args: []string{"g", "--since", "1", "--no-headers", "-o", "wide"}, out: "\t2\tcreated\tg\teu/n1\tcreated as running\t-\t", code: 124},
		"types":     {args: []string{"--since", "1", "--type", "status_changed,deleted", "--no-headers"}, out: "2026-03-01T12:00:00Z\t4\tstatus_changed\tg\teu/n1\trunning → stopped: maintenance\n", code: 124},
		"JSON":      {args: []string{"--since", "3", "-o", "json"}, out: `"operation_id":"op1","actor":"ada","reason":"maintenance"`, code: 124},
		"now":       {code: 124},
		"type":      {args: []string{"--type", "upserted"}, err: "not a type of events; use one of created, node_lost,", code: 2},
		"since":     {args: []string{"--since", "-1"}, err: "must not be negative", code: 2},
		"future":    {args: []string{"--since", "99"}, err: "revision", code: 1},
		"two games": {args: []string{"a", "b"}, err: "accepts one GAME", code: 2},
	} {
		got := run(c.args...)
		require.Equal(t, c.code, got.code, name+": "+got.err)
		require.Contains(t, got.out, c.out, name)
		require.Contains(t, got.err, c.err, name)
	}
	require.NotContains(t, run("g", "--since", "1").out, "other")
	require.NoError(t, store.Compact(3))
	compacted := run("--since", "1")
	require.Equal(t, 1, compacted.code)
	require.Contains(t, compacted.err, "hint: the store has no history of the revision any more: omit --since")
	ctx, interrupt := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer interrupt()
	got := commandLine{args: []string{"events"}, server: server}.run(ctx)
	require.Empty(t, strings.TrimSpace(got.out))
}
