package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// recordsOf returns records of running games g0, g1 and so on, changed by change.
func recordsOf(n int, change func(i int, r *runtime.RuntimeRecord)) []runtime.RuntimeRecord {
	records := make([]runtime.RuntimeRecord, n)
	for i := range records {
		records[i] = localRecord(fmt.Sprintf("g%d", i))
		change(i, &records[i])
	}
	return records
}

// gamesOf returns the games of the requests, sorted.
func (r *fakeManager) gamesOf() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var games []string
	for _, request := range r.requests {
		games = append(games, request.GameID)
	}
	slices.Sort(games)
	return games
}

// sortedLines returns the lines, sorted: games end in any order.
func sortedLines(text string) []string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	slices.Sort(lines)
	return lines
}

// A command acts on the games of its arguments, or on those that match all filters.
func TestGamesAreSelected(t *testing.T) {
	t.Parallel()
	records := recordsOf(6, func(i int, r *runtime.RuntimeRecord) {
		r.CurrentImageRef = []string{"game:1", "game:2"}[i%2]
		switch i {
		case 4:
			r.Status, r.StoppedAt = runtime.StatusStopped, &noon
		case 5:
			r.Status, r.RemovedAt, r.CurrentContainerID = runtime.StatusRemoved, &noon, ""
		}
	})
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"arguments":           {[]string{"stop", "g1", "g0"}, []string{"g0", "g1"}},
		"repeated arguments":  {[]string{"stop", "g1", "g0", "g1"}, []string{"g0", "g1"}},
		"all":                 {[]string{"stop", "--all", "--yes"}, []string{"g0", "g1", "g2", "g3", "g4"}},
		"all of a status":     {[]string{"stop", "--all", "--status", "stopped", "--yes"}, []string{"g4"}},
		"image":               {[]string{"restart", "--image", "game:2", "--yes"}, []string{"g1", "g3"}},
		"images":              {[]string{"restart", "--image", "game:2,game:1", "--yes"}, []string{"g0", "g1", "g2", "g3"}},
		"statuses":            {[]string{"restart", "--status", "running", "--status", "stopped", "--yes"}, []string{"g0", "g1", "g2", "g3", "g4"}},
		"node":                {[]string{"restart", "--node", "n1", "--image", "game:1", "--yes"}, []string{"g0", "g2"}},
		"other node":          {[]string{"stop", "--node", "n2", "--yes"}, nil},
		"cleanup":             {[]string{"cleanup", "--all", "--yes"}, []string{"g4"}},
		"patch":               {[]string{"patch", "--current-image", "game:1", "--image", "game:3", "--yes"}, []string{"g0", "g2", "g4"}},
		"start the stopped":   {[]string{"start", "--all"}, []string{"g4"}},
		"start several":       {[]string{"start", "g7", "g8", "--image", "game:1", "--", "-x"}, []string{"g7", "g8"}},
		"start an odd id":     {[]string{"start", "--image", "game:1", "--", "-x", "-y"}, []string{"-x"}},
		"start with a filter": {[]string{"start", "--all", "--image", "game:1", "--", "-y"}, []string{"g4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &fakeManager{}
			got := run(t, serveManager(t, r, records...), c.args...)
			got.requireCode(t, 0, c.args)
			require.Equal(t, c.want, r.gamesOf())
			switch len(c.want) {
			case 0:
				require.Contains(t, got.err, ": no games match\n")
			default:
				require.Len(t, sortedLines(got.out), len(c.want))
			}
		})
	}
}

// Each game has a line and an operation id of its own. The summary counts them.
func TestResultsOfSeveralGames(t *testing.T) {
	t.Parallel()
	r := &fakeManager{}
	server := serveManager(t, r, recordsOf(3, func(int, *runtime.RuntimeRecord) {})...)
	got := run(t, server, "stop", "g0", "g1", "g2", "--operation-id", "nightly")
	got.requireCode(t, 0, "stop")
	require.Equal(t, []string{"g0 stop: stopped on eu/n1, revision 7", "g1 stop: stopped on eu/n1, revision 7", "g2 stop: stopped on eu/n1, revision 7"}, sortedLines(got.out))
	require.Equal(t, "rtmanager: stop: 3 of 3 games done\n", got.err)
	var ids []string
	for _, request := range r.requests {
		require.Regexp(t, "^nightly-[0-9a-f]{12}$", request.Origin.OperationID)
		ids = append(ids, request.Origin.OperationID)
	}
	slices.Sort(ids)
	require.Len(t, slices.Compact(ids), 3)

	got = run(t, server, "stop", "--all", "--yes", "-q", "-o", "json")
	got.requireCode(t, 0, "stop")
	require.Empty(t, got.err)
	for line := range strings.Lines(got.out) {
		require.True(t, json.Valid([]byte(line)), line)
	}
	got = run(t, server, "stop", "--all", "--yes", "-o", "wide")
	require.Equal(t, 1, strings.Count(got.out, "GENERATION"), "one header:\n%s", got.out)
}

// One game that fails does not stop the others. The exit code is the highest of all.
func TestSomeGamesFail(t *testing.T) {
	t.Parallel()
	r := &fakeManager{operate: func(_ context.Context, request ports.OperationRequest, _ func(operation.Progress)) (operation.Outcome, error) {
		switch request.GameID {
		case "g1":
			return operation.Outcome{}, &operation.RejectedError{GameID: "g1", Operation: "stop", Status: "removed", Reason: "it has been removed"}
		case "g2":
			return operation.Outcome{}, runtime.ErrNotFound
		}
		return outcomeOf(request), nil
	}}
	got := run(t, serveManager(t, r), "stop", "g0", "g1", "g2", "g3")
	got.requireCode(t, 4, "stop")
	require.Equal(t, []string{"g0 stop: stopped on eu/n1, revision 7", "g3 stop: stopped on eu/n1, revision 7"}, sortedLines(got.out))
	require.Contains(t, got.err, "rtmanager: stop g1: stop rejected: it has been removed\n")
	require.Contains(t, got.err, "rtmanager: stop g2: no such game\n")
	require.Contains(t, got.err, "rtmanager: stop: 2 of 4 games done, 2 failed\nhint: ")
}

// No more than --max-parallel games are in progress at a time.
func TestMaxParallel(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	full := make(chan struct{})
	r := &fakeManager{operate: func(ctx context.Context, request ports.OperationRequest, _ func(operation.Progress)) (operation.Outcome, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		if n == 3 {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		select {
		case <-full: // three games were in progress
			return outcomeOf(request), nil
		case <-ctx.Done():
			return operation.Outcome{}, ctx.Err()
		}
	}}
	args := []string{"stop", "--max-parallel", "3"}
	for i := range 12 {
		args = append(args, fmt.Sprintf("g%d", i))
	}
	run(t, serveManager(t, r), args...).requireCode(t, 0, args)
	require.EqualValues(t, 3, most.Load())
	require.Len(t, r.gamesOf(), 12)
}

// A dry run lists the games, and changes nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	records := recordsOf(3, func(i int, r *runtime.RuntimeRecord) {
		if i == 2 {
			r.Status, r.RemovedAt, r.CurrentContainerID = runtime.StatusRemoved, &noon, ""
		}
	})
	r := &fakeManager{}
	server := serveManager(t, r, records...)
	got := run(t, server, "stop", "--all", "--dry-run")
	got.requireCode(t, 0, "stop --all")
	require.Equal(t, "g0 stop (dry run): now running on eu/n1, revision 2\ng1 stop (dry run): now running on eu/n1, revision 3\n", got.out)
	require.Equal(t, "rtmanager: stop: dry run: 2 games, nothing was done\n", got.err)

	got = run(t, server, "stop", "g1", "g2", "nope", "--dry-run")
	got.requireCode(t, 4, "stop of games that cannot be stopped")
	require.Equal(t, "g1 stop (dry run): now running on eu/n1, revision 3\n", got.out)
	require.Contains(t, got.err, "rtmanager: stop nope: no such game\n")
	require.Contains(t, got.err, "rtmanager: stop g2: stop rejected: the game is removed\n")
	require.Contains(t, got.err, "rtmanager: stop: dry run: 1 game, nothing was done; 2 would fail\n")

	got = run(t, server, "start", "nope", "--image", "game:1", "--dry-run")
	got.requireCode(t, 0, "start")
	require.Equal(t, "nope start (dry run): on eu/n1\nRANK  REGION  NODE  GAMES  CPUS  MEMORY  IMAGE  FAILURES  REASON\n1     eu      n1    2      0     0 B     -      0         -\n", got.out)
	got = run(t, server, "delete", "g2", "--dry-run")
	got.requireCode(t, 0, "delete")
	require.Equal(t, "g2 delete (dry run): now removed on eu/n1, revision 4\n", got.out)
	require.Empty(t, r.gamesOf())
}

// A destructive command for games that filters select requires confirmation.
func TestFiltersRequireConfirmation(t *testing.T) {
	t.Parallel()
	r := &fakeManager{}
	server := serveManager(t, r, recordsOf(2, func(int, *runtime.RuntimeRecord) {})...)
	for _, args := range [][]string{
		{"stop", "--all"}, {"restart", "--region", "eu"}, {"patch", "--all", "--image", "game:2"}, {"cleanup", "--status", "running"}, {"delete", "--status", "running"},
	} {
		got := run(t, server, args...)
		got.requireCode(t, 2, args)
		require.Contains(t, got.err, "not a terminal: pass --yes to confirm")
	}
	require.Empty(t, r.gamesOf())
}

// An interrupted command starts no further game, and reports how far it came.
func TestInterruptedAmongSeveralGames(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	r := &fakeManager{operate: func(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		if request.GameID == "g0" {
			return outcomeOf(request), nil
		}
		report(progressAt(request, operation.StepAccepted))
		interrupt()
		<-ctx.Done()
		return operation.Outcome{}, ctx.Err()
	}}
	got := commandLine{args: []string{"stop", "g0", "g1", "g2", "g3", "--max-parallel", "1"}, server: serveManager(t, r)}.run(ctx)
	got.requireCode(t, 130, "stop")
	require.Equal(t, "g0 stop: stopped on eu/n1, revision 7\n", got.out)
	require.Contains(t, got.err, "rtmanager: stop g1: ")
	require.Contains(t, got.err, "rtmanager: stop: interrupted: 1 of 4 games done, 1 failed, 2 not attempted\n")
	require.Equal(t, []string{"g0", "g1"}, r.gamesOf())
}
