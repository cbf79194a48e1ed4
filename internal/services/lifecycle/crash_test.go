package lifecycle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
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

// machine is where a victim's games run, and outlive it: a directory of the process
// engine, or else the Docker Engine, with what goes before the names of its images.
type machine struct{ Dir, Images, Docker string }

type closingEngine interface {
	ports.Engine
	Close() error
}

func (m machine) open(ctx context.Context, store string) (closingEngine, error) {
	if m.Docker != "" {
		return dockerengine.Open(ctx, dockerengine.Config{Store: store, Region: "eu", Node: "n1"})
	}
	return processengine.Open(processengine.Config{Dir: m.Dir, ImagesDir: m.Images, Store: store, Region: "eu", Node: "n1"})
}

// story is an operation that is interrupted after each of its acts.
type story struct {
	name   string
	before []ports.OperationRequest
	then   ports.OperationRequest
	// done is the status and the image of a game on which the operation has ended,
	// undone that of one on which it never began; empty for no record.
	done, undone string
	// fails: the operation ends in a failure, which may be noticed before the record
	// is written: then undone is done.
	fails bool
}

// stories are told with images whose names begin with the prefix.
func stories(prefix string) []story {
	game := func(version string) operation.Spec {
		spec := nodetest.GameSpec(version)
		spec.Image = prefix + spec.Image
		return spec
	}
	started := nodetest.StartOp("g", game("1.0.0"))
	patch := ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: prefix + "gameserver:1.0.1"}
	broken := ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: prefix + "broken:1.0.1", Force: true}
	begin := []ports.OperationRequest{started}
	halt := []ports.OperationRequest{started, nodetest.Op(operation.KindStop, "g")}
	gone := []ports.OperationRequest{started, nodetest.Op(operation.KindStop, "g"), nodetest.Op(operation.KindCleanup, "g")}
	return []story{
		{"start", nil, started, "running gameserver:1.0.0", "", false},
		{"start that fails", nil, nodetest.StartOp("g", operation.Spec{Image: prefix + "broken:1.0.1"}), "removed broken:1.0.1", "", true},
		{"start again", halt, nodetest.Op(operation.KindStart, "g"), "running gameserver:1.0.0", "stopped gameserver:1.0.0", false},
		{"start as something else", halt, nodetest.StartOp("g", game("2.0.0")), "running gameserver:2.0.0", "stopped gameserver:1.0.0", false},
		{"start of a removed game", gone, nodetest.Op(operation.KindStart, "g"), "running gameserver:1.0.0", "removed gameserver:1.0.0", false},
		{"stop", begin, nodetest.Op(operation.KindStop, "g"), "stopped gameserver:1.0.0", "running gameserver:1.0.0", false},
		{"restart", begin, nodetest.Op(operation.KindRestart, "g"), "running gameserver:1.0.0", "running gameserver:1.0.0", false},
		{"patch", begin, patch, "running gameserver:1.0.1", "running gameserver:1.0.0", false},
		{"patch while stopped", halt, patch, "stopped gameserver:1.0.1", "stopped gameserver:1.0.0", false},
		{"patch that fails", begin, broken, "running gameserver:1.0.0", "running gameserver:1.0.0", true},
		{"cleanup", halt, nodetest.Op(operation.KindCleanup, "g"), "removed gameserver:1.0.0", "stopped gameserver:1.0.0", false},
	}
}

// Whatever act of an operation is the last one that a daemon lives to do, the next
// daemon finishes the operation or undoes it, and nothing is left over.
func TestOperationsSurviveTheirDaemon(t *testing.T) {
	t.Parallel()
	for _, s := range stories("") {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			interruptEverywhere(t, s, func(t *testing.T) machine { return machine{Dir: t.TempDir(), Images: nodetest.ImagesDir} })
		})
	}
}

func TestOperationsSurviveTheirDaemonOnDocker(t *testing.T) {
	t.Parallel()
	prefix := nodetest.DockerImages(t)
	t.Run("stories", func(t *testing.T) {
		for _, s := range stories(prefix) {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				interruptEverywhere(t, s, func(*testing.T) machine { return machine{Docker: prefix} })
			})
		}
	})
}

// interruptEverywhere tells the story once for each of its acts.
func interruptEverywhere(t *testing.T, s story, on func(*testing.T) machine) {
	s.then.Origin.OperationID = "the-operation"
	acts := 0
	for kill := int64(1); interrupt(t, s, on(t), kill); kill++ {
		acts++
	}
	require.GreaterOrEqual(t, acts, 3, "an operation that is not interrupted proves nothing")
	t.Logf("killed after each of %d acts", acts)
}

// interrupt lets a victim die after so many acts, goes on as the next daemon, and
// looks at what has become of the game. It returns false if the victim survived.
func interrupt(t *testing.T, s story, on machine, kill int64) bool {
	t.Helper()
	client, prefix := etcdtest.Client(t), etcdtest.Prefix(t)
	o := orders{
		Etcd: client.Endpoints()[0], Prefix: prefix, Identity: uuid.NewString(), Machine: on,
		Before: s.before, Then: []ports.OperationRequest{s.then}, KillAfter: kill,
	}
	died := runAsVictim(t, o)

	var engine closingEngine
	t.Run(fmt.Sprintf("the daemon after act %d", kill), func(t *testing.T) {
		next := nodetest.New(t, nodetest.Config{
			Client: client, Prefix: prefix, Region: "eu", Name: "n1", Identity: o.Identity,
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
		goOn(t, s, next)
	})
	return died
}

// goOn is what the next daemon does, and what is to be seen then.
func goOn(t *testing.T, s story, next *nodetest.Node) {
	t.Helper()
	outcome, err := next.Service.Resume(t.Context(), "g")
	if outcome.OperationID != "" {
		require.Equal(t, s.fails, err != nil, "the operation that was taken up ended with %v", err)
	}
	require.Contains(t, []string{s.done, s.undone}, state(t, next))
	tidy(t, next)

	// Whoever asked and got no answer asks again, and gets what it asked for, once.
	outcome, err = next.Execute(s.then)
	require.Equal(t, s.fails, err != nil, "asked again: %v", err)
	require.Equal(t, s.then.Origin.OperationID, outcome.OperationID)
	if s.fails {
		require.Contains(t, []string{s.done, s.undone}, state(t, next), "asked again")
	} else {
		require.Equal(t, s.done, state(t, next), "asked again")
	}
	tidy(t, next)
}

// runAsVictim reports whether the victim died of its bomb.
func runAsVictim(t *testing.T, o orders) bool {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*nodetest.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), victimEnv+"="+string(text))
	cmd.WaitDelay = time.Second // its games keep what they inherited
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if strings.Contains(out.String(), survived) {
		return false
	}
	require.ErrorContains(t, err, "signal: killed", "%s%s", out.String(), errs.String())
	return true
}

// state is the status and the image of game g, empty where it has no record.
func state(t *testing.T, n *nodetest.Node) string {
	t.Helper()
	found, err := n.Store.Get(t.Context(), "g")
	if err != nil {
		require.ErrorIs(t, err, runtime.ErrNotFound)
		return ""
	}
	// What goes before the names of images on Docker does not count.
	return string(found.Status) + " " + path.Base(found.CurrentImageRef)
}

// tidy holds record, intent, engine and ledger of game g against each other.
func tidy(t *testing.T, n *nodetest.Node) {
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
		legal(t, n)
	}
	have := map[string]container.State{}
	for _, c := range n.Containers("g") {
		have[c.ID] = c.State
		if c.State == container.StateCreated {
			have[c.ID] = container.StateExited // a patch of a stopped game: it has never run
		}
	}
	require.Equal(t, want, have, "the record's container, and no other")
}

// legal walks the ledger of game g.
func legal(t *testing.T, n *nodetest.Node) {
	t.Helper()
	history, err := n.Store.History(t.Context(), "g")
	require.NoError(t, err)
	for i := range len(history) - 1 {
		require.Equal(t, history[i+1].To, history[i].From, "entry %d does not follow from the one before", history[i].Seq)
		require.Equal(t, history[i+1].Seq+1, history[i].Seq)
	}
	for _, entry := range history {
		switch entry.From {
		case "", entry.To: // the first one, and a record that was put anew
		case runtime.StatusRemoved:
			require.Equal(t, runtime.StatusRunning, entry.To, "entry %d: a fresh record of a game that was removed", entry.Seq)
		default:
			require.NoError(t, runtime.Transition(entry.From, entry.To), "entry %d", entry.Seq)
		}
	}
}
