package lifecycle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/adapters/processengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// machine is the machine on which the games of a crash process run, and which outlives
// it: a directory of the process engine, or the Docker Engine with a prefix of its images.
type machine struct{ Dir, Images, Docker string }

type closableEngine interface {
	ports.Engine
	Close() error
}

func (m machine) open(ctx context.Context, store string) (closableEngine, error) {
	if m.Docker != "" {
		return dockerengine.Open(ctx, dockerengine.Config{Store: store, Region: "eu", Node: "n1"})
	}
	return processengine.Open(processengine.Config{Dir: m.Dir, ImagesDir: m.Images, Store: store, Region: "eu", Node: "n1"})
}

// scenario is an operation that is interrupted after each of its side effects.
type scenario struct {
	name      string
	setup     []ports.OperationRequest
	operation ports.OperationRequest
	// after is status and image of the game after the operation, before that of a game on
	// which it has not started; empty means no record.
	after, before string
	// fails reports that the operation fails. It may fail before it has written the record.
	fails bool
}

// scenarios returns the scenarios with images whose names have the prefix.
func scenarios(prefix string) []scenario {
	game := func(version string) operation.Spec {
		spec := nodetest.GameSpec(version)
		spec.Image = prefix + spec.Image
		return spec
	}
	started := nodetest.StartOp("g", game("1.0.0"))
	patch := ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: prefix + "gameserver:1.0.1"}
	broken := ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: prefix + "broken:1.0.1", Force: true}
	running := []ports.OperationRequest{started}
	stopped := []ports.OperationRequest{started, nodetest.Op(operation.KindStop, "g")}
	removed := []ports.OperationRequest{started, nodetest.Op(operation.KindStop, "g"), nodetest.Op(operation.KindCleanup, "g")}
	return []scenario{
		{"start", nil, started, "running gameserver:1.0.0", "", false},
		{"start that fails", nil, nodetest.StartOp("g", operation.Spec{Image: prefix + "broken:1.0.1"}), "removed broken:1.0.1", "", true},
		{"start of a stopped game", stopped, nodetest.Op(operation.KindStart, "g"), "running gameserver:1.0.0", "stopped gameserver:1.0.0", false},
		{"start with another image", stopped, nodetest.StartOp("g", game("2.0.0")), "running gameserver:2.0.0", "stopped gameserver:1.0.0", false},
		{"start of a removed game", removed, nodetest.Op(operation.KindStart, "g"), "running gameserver:1.0.0", "removed gameserver:1.0.0", false},
		{"stop", running, nodetest.Op(operation.KindStop, "g"), "stopped gameserver:1.0.0", "running gameserver:1.0.0", false},
		{"restart", running, nodetest.Op(operation.KindRestart, "g"), "running gameserver:1.0.0", "running gameserver:1.0.0", false},
		{"patch", running, patch, "running gameserver:1.0.1", "running gameserver:1.0.0", false},
		{"patch while stopped", stopped, patch, "stopped gameserver:1.0.1", "stopped gameserver:1.0.0", false},
		{"patch that fails", running, broken, "running gameserver:1.0.0", "running gameserver:1.0.0", true},
		{"cleanup", stopped, nodetest.Op(operation.KindCleanup, "g"), "removed gameserver:1.0.0", "stopped gameserver:1.0.0", false},
	}
}

// A daemon is killed after each side effect of an operation. The next daemon completes the
// operation or rolls it back, without remains.
func TestOperationsSurviveACrash(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a daemon after each side effect")
	}
	t.Parallel()
	for _, s := range scenarios("") {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			crashAfterEachEffect(t, s, func(t *testing.T) machine { return machine{Dir: t.TempDir(), Images: nodetest.ImagesDir} })
		})
	}
}

// The Docker Engine runs the scenarios that together have each of its side effects. The
// test above has the other ones.
func TestOperationsSurviveACrashOnDocker(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Docker Engine")
	}
	t.Parallel()
	prefix := nodetest.DockerImages(t)
	t.Run("scenarios", func(t *testing.T) {
		for _, s := range scenarios(prefix) {
			if !slices.Contains([]string{"start", "stop", "patch that fails"}, s.name) {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				crashAfterEachEffect(t, s, func(*testing.T) machine { return machine{Docker: prefix} })
			})
		}
	})
}

// crashAfterEachEffect runs the scenario once for each of its side effects.
func crashAfterEachEffect(t *testing.T, s scenario, on func(*testing.T) machine) {
	s.operation.Origin.OperationID = "the-operation"
	effects := 0
	for crashAfter := int64(1); crash(t, s, on(t), crashAfter); crashAfter++ {
		effects++
	}
	require.GreaterOrEqual(t, effects, 3, "the operation must be interrupted")
	t.Logf("killed after each of %d side effects", effects)
}

// crash kills a daemon after a number of side effects, continues as the next daemon, and checks
// the game. It returns false if the operation ended before the crash.
func crash(t *testing.T, s scenario, on machine, crashAfter int64) bool {
	t.Helper()
	client, prefix := etcdtest.Client(t), etcdtest.Prefix(t)
	p := crashPlan{
		Etcd: client.Endpoints()[0], Prefix: prefix, Identity: uuid.NewString(), Machine: on,
		Setup: s.setup, Operations: []ports.OperationRequest{s.operation}, CrashAfter: crashAfter,
	}
	crashed := runInCrashProcess(t, p)

	var engine closableEngine
	t.Run(fmt.Sprintf("the daemon after side effect %d", crashAfter), func(t *testing.T) {
		next := nodetest.New(t, nodetest.Config{
			Client: client, Prefix: prefix, Region: "eu", Name: "n1", Identity: p.Identity,
			NewEngine: func(store string) ports.Engine {
				var err error
				engine, err = on.open(t.Context(), store)
				require.NoError(t, err)
				t.Cleanup(func() {
					nodetest.RemoveAll(t, engine)
					require.NoError(t, engine.Close())
				})
				return engine
			},
		})
		completeAsNextDaemon(t, s, next)
	})
	return crashed
}

// completeAsNextDaemon resumes the operation, and requests it once more as a client does
// that received no response.
func completeAsNextDaemon(t *testing.T, s scenario, next *nodetest.Node) {
	t.Helper()
	outcome, err := next.Service.Resume(t.Context(), "g")
	if outcome.OperationID != "" {
		require.Equal(t, s.fails, err != nil, "the resumed operation ended with %v", err)
	}
	require.Contains(t, []string{s.after, s.before}, gameSummary(t, next))
	requireConsistent(t, next)

	// A retry with the same operation ID returns the outcome of the operation.
	outcome, err = next.Execute(s.operation)
	require.Equal(t, s.fails, err != nil, "retry: %v", err)
	require.Equal(t, s.operation.Origin.OperationID, outcome.OperationID)
	if s.fails {
		require.Contains(t, []string{s.after, s.before}, gameSummary(t, next), "retry")
	} else {
		require.Equal(t, s.after, gameSummary(t, next), "retry")
	}
	requireConsistent(t, next)
}

// runInCrashProcess runs the plan in a process of its own, and reports whether that
// crashed.
func runInCrashProcess(t *testing.T, p crashPlan) bool {
	t.Helper()
	text, err := json.Marshal(p)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*nodetest.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), crashPlanEnv+"="+string(text))
	cmd.WaitDelay = time.Second // its games keep the inherited pipes open
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if strings.Contains(out.String(), completedText) {
		return false
	}
	require.ErrorContains(t, err, "signal: killed", "%s%s", out.String(), errs.String())
	return true
}

// gameSummary returns status and image of game g, empty if it has no record.
func gameSummary(t *testing.T, n *nodetest.Node) string {
	t.Helper()
	found, err := n.Store.Get(t.Context(), "g")
	if err != nil {
		require.ErrorIs(t, err, runtime.ErrNotFound)
		return ""
	}
	// The prefix of the image names on Docker is left out.
	return string(found.Status) + " " + path.Base(found.CurrentImageRef)
}

// requireConsistent compares record, intent, engine and ledger of game g.
func requireConsistent(t *testing.T, n *nodetest.Node) {
	t.Helper()
	intent, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Nil(t, intent.Intent.Current, "an operation is in progress")

	want := map[string]container.State{}
	if found, err := n.Store.Get(t.Context(), "g"); err == nil {
		require.NoError(t, found.Validate())
		if found.Status != runtime.StatusRemoved {
			want[found.CurrentContainerID] = container.StateExited
			if found.Status == runtime.StatusRunning {
				want[found.CurrentContainerID] = container.StateRunning
			}
		}
		requireValidLedger(t, n)
	}
	have := map[string]container.State{}
	for _, c := range n.Containers("g") {
		have[c.ID] = c.State
		if c.State == container.StateCreated {
			have[c.ID] = container.StateExited // the new container of a patch while stopped was never started
		}
	}
	require.Equal(t, want, have, "only the record's container exists")
}

// requireValidLedger checks the transitions in the ledger of game g.
func requireValidLedger(t *testing.T, n *nodetest.Node) {
	t.Helper()
	history, err := n.Store.History(t.Context(), "g")
	require.NoError(t, err)
	for i := range len(history) - 1 {
		require.Equal(t, history[i+1].To, history[i].From, "entry %d does not continue the previous one", history[i].Seq)
		require.Equal(t, history[i+1].Seq+1, history[i].Seq)
	}
	for _, entry := range history {
		switch entry.From {
		case "", entry.To: // the first entry, and an upsert
		case runtime.StatusRemoved:
			require.Equal(t, runtime.StatusRunning, entry.To, "entry %d: a new record of a removed game", entry.Seq)
		default:
			require.NoError(t, runtime.Transition(entry.From, entry.To), "entry %d", entry.Seq)
		}
	}
}
