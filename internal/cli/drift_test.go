package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// runOnTerminal runs a command line on a terminal, with the input of the user.
func runOnTerminal(t *testing.T, server, input string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Main(t.Context(), append(args, "--server", server, "--no-color"), cli.Streams{
		In: strings.NewReader(input), Out: &out, Err: &errs, IsTerminal: true, IsErrTerminal: true,
		LookupEnv: func(string) (string, bool) { return "", false }, Now: func() time.Time { return tomorrow },
	})
	return result{out.String(), errs.String(), code}
}

// On a terminal progress is one line, which is rewritten and erased at the end.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	r := &fakeManager{operate: func(_ context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		pulling := progressAt(request, operation.StepPulling)
		pulling.Text, pulling.BytesDone, pulling.BytesTotal = "layer\x1b[2J", 12_300_000, 40_000_000
		report(pulling)
		pulling.BytesDone, pulling.BytesTotal = 0, 0
		report(pulling)
		report(progressAt(request, operation.StepRollingBack))
		return outcomeOf(request), nil
	}}
	got := runOnTerminal(t, serveManager(t, r), "", "start", "g", "--wait")
	got.requireCode(t, 0, "start")
	require.Equal(t, "\r\x1b[Kstart g: pulling 12.3/40 MB\r\x1b[Kstart g: pulling: layer\ufffd[2J\r\x1b[Kstart g: rolling back\r\x1b[K", got.err)
	require.Equal(t, "g start: running on eu/n1, revision 7\n", got.out)
	quiet := runOnTerminal(t, serveManager(t, r), "", "start", "g", "--wait", "--quiet")
	require.Empty(t, quiet.err)
}

func findings() []drift.Finding {
	finding := func(game string, action drift.Action, blockedBy string) drift.Finding {
		return drift.Finding{
			ID: "exited/" + game, Kind: drift.KindExited, GameID: game, Region: "eu", Node: "n1", Action: action, BlockedBy: blockedBy,
			Evidence: "container c1 exited with 1", FirstSeen: noon, Observations: 3, RecordRevision: 5, IntentRevision: 4, ContainerID: "c1",
		}
	}
	return []drift.Finding{
		finding("a", drift.ActionMarkStopped, ""), finding("b b", drift.ActionRemoveContainer, "the brake is engaged"),
		finding("d", drift.ActionNone, ""),
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	r := &fakeManager{report: drift.Report{Findings: findings(), Brakes: []drift.Brake{{Region: "eu", Node: "n1", Since: noon, Reason: "too\nmany"}}}}
	server := serveManager(t, r)
	got := run(t, server, "drift")
	got.requireCode(t, 0, "drift")
	require.Equal(t, `GAME   KIND    ACTION                      NODE   AGE  EVIDENCE
a      exited  mark_stopped                eu/n1  24h  container c1 exited with 1
"b b"  exited  remove_container (blocked)  eu/n1  24h  container c1 exited with 1
d      exited  none                        eu/n1  24h  container c1 exited with 1
`, got.out)
	require.Equal(t, "rtmanager: drift: the brake of eu/n1 is engaged since 2026-03-01T12:00:00Z: too many\n"+
		"hint: `rtmanager drift --release-brake` lets the nodes apply the blocked actions; first make sure that the findings are correct\n", got.err)
	wide := run(t, server, "drift", "-o", "wide")
	require.Contains(t, wide.out, "eu/n1  24h  3     5       4       c1         \"exited/b b\"  the brake is engaged")
	require.Contains(t, run(t, server, "drift", "-o", "json").out, `"brakes":[{"region":"eu","node":"n1","since":"2026-03-01T12:00:00Z","reason":"too\nmany"}]`)

	lost := localRecord("g")
	lost.Node = "absent"
	server = serveManager(t, &fakeManager{}, lost)
	got = run(t, server, "drift")
	got.requireCode(t, 5, "a node is missing")
	require.Contains(t, got.out, "node_lost  none    eu/absent")
	require.Contains(t, got.err, "the findings of eu/absent are missing: is not among the present nodes that run games, and a record names it")
	require.Contains(t, got.err, "a part of the result is missing: the findings of 1 node\nhint: --allow-partial accepts that")
	run(t, server, "drift", "--apply", "--yes").requireCode(t, 5, "a node is missing")
	got = run(t, server, "drift", "--allow-partial")
	got.requireCode(t, 0, "the other nodes")
	require.Contains(t, got.out, "node_lost  none    eu/absent")
	require.Equal(t, "rtmanager: drift: the findings of eu/absent are missing: is not among the present nodes that run games, and a record names it\n", got.err)
}

func TestDriftApply(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of   func(drift.Finding) (drift.ApplyStatus, string)
		code int
		want string
	}{
		"all":          {func(drift.Finding) (drift.ApplyStatus, string) { return drift.ApplyDone, "" }, 0, ""},
		"one is stale": {func(f drift.Finding) (drift.ApplyStatus, string) { return staleIf(f.GameID == "a") }, 3, "1 of 2 findings not applied: record is not as expected"},
		"one is blocked": {func(f drift.Finding) (drift.ApplyStatus, string) {
			if f.GameID == "a" {
				return drift.ApplyBlocked, "not yet"
			}
			return drift.ApplyDone, ""
		}, 3, "1 of 2 findings not applied: operation does not fit"},
		"none": {func(drift.Finding) (drift.ApplyStatus, string) { return drift.ApplyFailed, "no engine" }, 1, "2 of 2 findings not applied\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen []string
			r := &fakeManager{report: drift.Report{Findings: findings()}, result: func(f drift.Finding) drift.ApplyResult {
				seen = append(seen, f.GameID)
				status, reason := c.of(f)
				return drift.ApplyResult{ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action, Status: status, Reason: reason}
			}}
			got := run(t, serveManager(t, r), "drift", "--apply", "--yes")
			got.requireCode(t, c.code, name)
			require.Equal(t, []string{"a", "b b"}, seen, "a finding without an action is not applied")
			require.Equal(t, "ada", r.applier)
			require.Contains(t, got.err, c.want)
			require.Equal(t, 3, strings.Count(got.out, "\n"), got.out)
		})
	}
}

func staleIf(is bool) (drift.ApplyStatus, string) {
	if is {
		return drift.ApplyStale, "the record has changed"
	}
	return drift.ApplyDone, ""
}

// A change must be confirmed on a terminal.
func TestDriftRequiresConfirmation(t *testing.T) {
	t.Parallel()
	r := &fakeManager{report: drift.Report{Findings: findings(), Brakes: []drift.Brake{{Region: "eu", Node: "n1", Since: noon, Reason: "x"}}}}
	applied := 0
	r.result = func(f drift.Finding) drift.ApplyResult {
		applied++
		return drift.ApplyResult{ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Status: drift.ApplyDone}
	}
	server := serveManager(t, r)
	for _, input := range []string{"", "n\n", "\n", "maybe\n"} {
		for _, flag := range []string{"--apply", "--release-brake"} {
			got := runOnTerminal(t, server, input, "drift", flag)
			got.requireCode(t, 1, input)
			require.Contains(t, got.err, "nothing was done")
		}
	}
	require.Zero(t, applied+r.released)
	got := runOnTerminal(t, server, "y\n", "drift", "--apply")
	got.requireCode(t, 0, "yes")
	require.Contains(t, got.err, "Apply 2 findings? [y/N] ")
	require.Equal(t, 2, applied)
	got = runOnTerminal(t, server, "YES\n", "drift", "--release-brake")
	got.requireCode(t, 0, "yes")
	require.Equal(t, "brake of eu/n1 released\n", got.out)
	got = run(t, server, "drift", "--release-brake", "--yes")
	got.requireCode(t, 0, "--yes")
	require.Equal(t, 2, r.released)
	got = run(t, serveManager(t, &fakeManager{}), "drift", "--release-brake", "--yes")
	got.requireCode(t, 0, "no brake")
	require.Equal(t, "no brake is engaged\n", got.out)
	got = run(t, serveManager(t, &fakeManager{}), "drift", "--apply", "--yes", "-o", "json")
	require.Equal(t, `{"results":[]}`+"\n", got.out)
}

// The page describes a game and cannot control the terminal.
func TestExplain(t *testing.T) {
	t.Parallel()
	exit := 137
	record := localRecord("g g")
	record.Status, record.StoppedAt, record.CurrentImageRef, record.Generation = runtime.StatusStopped, &noon, "game:1", 2
	other := container.Container{ID: "c0", State: container.StateRunning, StartedAt: &noon, Image: "game:0", Labels: container.Labels{Generation: 1}}
	page := drift.Explanation{
		Record: &record, Revision: 9,
		History:    []runtime.LedgerEntry{{Seq: 2, From: "running", To: "stopped", At: noon, Actor: "reconcile", Reason: "exited: container\nexited with 137"}, {Seq: 1, To: "running", At: noon, Actor: "ada"}},
		Containers: []container.Container{{ID: "c1", State: container.StateExited, ExitCode: &exit, OOMKilled: true, ExitedAt: &noon, Labels: container.Labels{Generation: 2}, Image: "game:1"}, other},
		Findings:   findings()[:1], Logs: []string{"hello", "bye\x1b[2J"}, Warnings: []string{"the ledger\nis missing"},
		Intent: &operation.Intent{
			DesiredStatus: runtime.StatusRunning, Restarts: []time.Time{noon}, Spec: operation.Spec{Image: "game:1", Regions: []string{"us", "eu", "ap"}},
			Current: &operation.Operation{ID: "op-2", Kind: operation.KindRestart, Region: "eu", Node: "n1", Step: operation.StepRollingBack, StepAt: noon, Actor: "eve", Failure: &operation.Failure{Message: "no"}},
			Recent:  []operation.Outcome{{OperationID: "op-1", Kind: operation.KindStart, Actor: "ada", StartedAt: noon, FinishedAt: noon.Add(3 * time.Second), Failure: &operation.Failure{Code: operation.FailureStart, Message: "exited\nat once"}}},
		},
	}
	r := &fakeManager{page: page}
	got := run(t, serveManager(t, r), "explain", "g g")
	got.requireCode(t, 0, "explain")
	require.Equal(t, `Game:         "g g"
Status:       stopped
Since:        2026-03-01T12:00:00Z (24h ago), revision 9
Reason:       running → stopped by reconcile: exited: container exited with 137
Node:         eu/n1, present
Container:    c1, exited with code 137, OOM killed, 24h ago
Image:        game:1, generation 2
Desired:      running
Node lost:    start it on another node in eu, or else in us, or else in ap
Restarts:     1 after crashes, last 24h ago
In progress:  restart op-2 on eu/n1, rolling back for 24h, requested by eve: no

History, newest first:
  AT                    CHANGE             BY         REASON
  2026-03-01T12:00:00Z  running → stopped  reconcile  "exited: container\nexited with 137"
  2026-03-01T12:00:00Z  - → running        ada        -

Recent operations:
  FINISHED              OPERATION  DURATION  BY   RESULT
  2026-03-01T12:00:03Z  start      3s        ada  start_failed: exited at once

Containers:
  CONTAINER  STATE                                      GENERATION  IMAGE
  c1         exited with code 137, OOM killed, 24h ago  2           game:1
  c0         running for 24h                            1           game:0

Drift:
  GAME  KIND    ACTION        NODE   AGE  EVIDENCE
  a     exited  mark_stopped  eu/n1  24h  container c1 exited with 1

Last log lines:
  | hello
  | bye`+"\ufffd"+`[2J

Not available:
  the ledger is missing
`, got.out)
	require.Empty(t, got.err)

	bare := run(t, serveManager(t, &fakeManager{}), "explain", "g")
	require.Equal(t, "Game:    g\nStatus:  running\nSince:   2026-03-01T12:00:00Z (24h ago), revision 7\nNode:    eu/n1, present\n", bare.out)
	text := run(t, serveManager(t, r), "explain", "g g", "-o", "json").out
	require.True(t, strings.HasPrefix(text, `{"game_id":"g g","record":{`), text)

	orphan := localRecord("g")
	orphan.Node = "absent"
	got = run(t, serveManager(t, &fakeManager{page: drift.Explanation{Record: &orphan, Revision: 1}}, orphan), "explain", "g")
	got.requireCode(t, 0, "a game whose node is absent")
	require.Contains(t, got.out, "eu/absent, not present\n")
	require.Contains(t, got.out, "Not available:\n  node is not reachable: eu/absent")
}

// Hostile texts cannot break the page.
func TestExplainIsPrintable(t *testing.T) {
	t.Parallel()
	evil := "a\x1b[2J\u202eb\nc"
	record := localRecord("g")
	record.CurrentImageRef, record.EngineEndpoint = evil, evil
	page := drift.Explanation{
		Record: &record, Logs: []string{evil}, Warnings: []string{evil},
		History:    []runtime.LedgerEntry{{To: "running", At: noon, Actor: evil, Reason: evil}},
		Containers: []container.Container{{ID: evil, State: container.State(evil), Image: evil}},
		Findings:   []drift.Finding{{ID: evil, Kind: drift.Kind(evil), GameID: evil, Action: drift.Action(evil), Evidence: evil, BlockedBy: evil, Region: evil, Node: evil}},
		Intent: &operation.Intent{
			DesiredStatus: runtime.Status(evil), Current: &operation.Operation{ID: evil, Kind: operation.Kind(evil), Step: operation.Step(evil), Region: evil, Actor: evil, Failure: &operation.Failure{Message: evil}},
			Recent: []operation.Outcome{{Kind: operation.Kind(evil), Actor: evil, Failure: &operation.Failure{Code: operation.FailureCode(evil), Message: evil}}},
		},
	}
	r := &fakeManager{page: page, report: drift.Report{Findings: page.Findings, Brakes: []drift.Brake{{Region: evil, Node: evil, Reason: evil}}}}
	server := serveManager(t, r)
	for _, args := range [][]string{{"explain", "g"}, {"drift"}, {"drift", "-o", "wide"}} {
		got := run(t, server, args...)
		got.requireCode(t, 0, args)
		for _, raw := range []string{"\x1b", "\u202e", "\nc"} {
			require.NotContains(t, got.out+got.err, raw, fmt.Sprintf("%q", args))
		}
	}
}
