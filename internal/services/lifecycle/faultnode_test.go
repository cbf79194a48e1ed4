package lifecycle_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/lifecycle"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// faultNode is one node on a model store and a fake engine. It outlives its daemons.
type faultNode struct {
	store   *memstore.Store
	machine *fakeengine.Machine
	engine  ports.Engine

	mu       sync.Mutex // guards the fields below
	sessions int64      // number of sessions so far
	// violations are the acts on the engine that must not happen: without a session, and
	// starts of a second live container.
	violations []string
}

func newFaultNode() *faultNode {
	n := &faultNode{store: memstore.New(), machine: fakeengine.New("game:1.0.0", "game:1.0.1", "game:2.0.0", "broken:1.0.1")}
	n.machine.ExitOnStart("broken:1.0.1", 3)
	n.engine = n.machine.Engine(fakeengine.Owner{Store: "store", Region: "eu", Node: "n1"})
	return n
}

// Nodes implements ports.NodeRegistry.
func (n *faultNode) Nodes(context.Context) ([]node.Node, error) {
	return []node.Node{{Region: "eu", Name: "n1", Engine: "fake"}}, nil
}

// Overview implements ports.NodeRegistry.
func (n *faultNode) Overview(context.Context) (node.Overview, error) { return node.Overview{}, nil }

// AwaitAbsence implements ports.NodeRegistry.
func (n *faultNode) AwaitAbsence(ctx context.Context, _ node.Node) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// SetLost implements ports.NodeRegistry.
func (n *faultNode) SetLost(context.Context, node.Ref, time.Time) error { return nil }

// RemoveNode implements ports.NodeRegistry.
func (n *faultNode) RemoveNode(context.Context, node.Ref) error { return nil }

// Probe implements ports.HealthProber.
func (n *faultNode) Probe(context.Context, operation.HealthTarget) error { return nil }

// addViolation records an act that must not happen.
func (n *faultNode) addViolation(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.violations = append(n.violations, fmt.Sprintf(format, args...))
}

// rewrite changes the record as another writer does. It does nothing if there is none.
func (n *faultNode) rewrite(change func(*runtime.RuntimeRecord)) {
	if found, err := n.store.Get(context.Background(), "g"); err == nil {
		change(&found)
		if err := n.store.Upsert(context.Background(), found); err != nil {
			n.addViolation("the test wrote an invalid record: %s", err)
		}
	}
}

// faultDaemon is one daemon of the node. It injects a fault into one of its calls of
// store and engine.
type faultDaemon struct {
	*memstore.Store

	node    *faultNode
	service *lifecycle.Service

	mu      sync.Mutex // guards the fields below
	session node.Fence
	joined  bool
	down    bool // every call fails
	calls   int
	faultAt int // number of the call with the fault; 0 for none
	fault   fault
	faulty  string // name of the call with the fault
}

// fault makes a call with a fault. A non-nil error replaces that of the call.
type fault func(d *faultDaemon, call func(), unavailable error) error

func (n *faultNode) newDaemon(t *testing.T) *faultDaemon {
	t.Helper()
	d := &faultDaemon{Store: n.store, node: n}
	d.join()
	var err error
	d.service, err = lifecycle.New(t.Context(), lifecycle.Dependencies{
		Records: d, Intents: d, Engine: faultEngine{n.engine, d}, Session: d, Nodes: n, Prober: n,
	}, lifecycle.Config{Store: "store", Region: "eu", Node: "n1", MinUptime: time.Millisecond, RetryTimeout: 5 * time.Second})
	require.NoError(t, err)
	return d
}

// injectAt injects the fault into the call with that number from now on.
func (d *faultDaemon) injectAt(f fault, call int) { d.fault, d.faultAt = f, d.calls+call }

// join starts a session, which ends the previous one of the node.
func (d *faultDaemon) join() {
	d.node.mu.Lock()
	d.node.sessions++
	session := node.Fence{Key: "/nodes/eu/n1", CreateRevision: d.node.sessions}
	d.node.mu.Unlock()
	d.node.store.SetFence(session.Key, session.CreateRevision)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session, d.joined = session, true
}

// loseSession replaces the session while no other goroutine is between its check of the
// session and its act: nothing can make the two atomic, so an act that has started is no
// violation. The caller must be in a synctest bubble.
func (d *faultDaemon) loseSession() {
	synctest.Wait()
	d.join()
}

// Fence implements ports.NodeSession.
func (d *faultDaemon) Fence() (node.Fence, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.session, d.joined
}

// setDown makes all calls fail while down is true.
func (d *faultDaemon) setDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

// crash makes all calls fail for good.
func (d *faultDaemon) crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down, d.joined = true, false
}

// call makes a call of store or engine. unavailable is the error of a call without a
// response.
func (d *faultDaemon) call(name string, unavailable error, fn func() error) error {
	d.mu.Lock()
	d.calls++
	inject, down := d.fault != nil && d.calls == d.faultAt, d.down
	if inject {
		d.faulty = name
	}
	d.mu.Unlock()
	switch {
	case down:
		return unavailable
	case !inject:
		return fn()
	}
	var err error
	if injected := d.fault(d, func() { err = fn() }, unavailable); injected != nil {
		return injected
	}
	return err
}

// GetIntent implements ports.IntentStore.
func (d *faultDaemon) GetIntent(ctx context.Context, gameID string) (found ports.VersionedIntent, err error) {
	err = d.call("GetIntent", runtime.ErrUnavailable, func() (err error) { found, err = d.Store.GetIntent(ctx, gameID); return err })
	return found, err
}

// GetIntentAndRecord implements ports.IntentStore.
func (d *faultDaemon) GetIntentAndRecord(ctx context.Context, gameID string) (intent ports.VersionedIntent, record runtime.VersionedRecord, err error) {
	err = d.call("GetIntentAndRecord", runtime.ErrUnavailable, func() (err error) {
		intent, record, err = d.Store.GetIntentAndRecord(ctx, gameID)
		return err
	})
	return intent, record, err
}

// PutIntent implements ports.IntentStore.
func (d *faultDaemon) PutIntent(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion, fences ...node.Fence) (version ports.IntentVersion, err error) {
	name := "PutIntent of the outcome"
	if intent.Current != nil {
		name = "PutIntent of step " + string(intent.Current.Step)
	}
	err = d.call(name, runtime.ErrOutcomeUnknown, func() (err error) {
		version, err = d.Store.PutIntent(ctx, intent, replaces, fences...)
		return err
	})
	return version, err
}

// GetVersioned implements ports.RuntimeReader.
func (d *faultDaemon) GetVersioned(ctx context.Context, gameID string) (found runtime.VersionedRecord, err error) {
	err = d.call("GetVersioned", runtime.ErrUnavailable, func() (err error) { found, err = d.Store.GetVersioned(ctx, gameID); return err })
	return found, err
}

// Put implements ports.RuntimeWriter.
func (d *faultDaemon) Put(ctx context.Context, input ports.PutInput) (stored runtime.VersionedRecord, err error) {
	err = d.call("Put", runtime.ErrOutcomeUnknown, func() (err error) { stored, err = d.Store.Put(ctx, input); return err })
	return stored, err
}

// Transition implements ports.RuntimeWriter.
func (d *faultDaemon) Transition(ctx context.Context, input ports.TransitionInput) (stored runtime.VersionedRecord, err error) {
	err = d.call("Transition", runtime.ErrOutcomeUnknown, func() (err error) { stored, err = d.Store.Transition(ctx, input); return err })
	return stored, err
}

// faultEngine is the engine of a daemon.
type faultEngine struct {
	ports.Engine
	daemon *faultDaemon
}

// act is a call that changes something. It is a violation if the operation in progress
// belongs to a session that has ended.
func (e faultEngine) act(name string, fn func() error) error {
	stored, _ := e.daemon.node.store.GetIntent(context.Background(), "g")
	session, joined := e.daemon.Fence()
	if op := stored.Intent.Current; op != nil && joined && op.Session != session.CreateRevision {
		e.daemon.node.addViolation("%s after the session was lost in %s", name, e.daemon.faulty)
	}
	return e.daemon.call(name, container.ErrEngineUnavailable, fn)
}

func (e faultEngine) EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	return e.act("EnsureImage", func() error { return e.Engine.EnsureImage(ctx, image, progress) })
}

func (e faultEngine) Create(ctx context.Context, spec container.Spec) (created container.Container, err error) {
	err = e.act("Create", func() (err error) { created, err = e.Engine.Create(ctx, spec); return err })
	return created, err
}

func (e faultEngine) Start(ctx context.Context, id string) error {
	return e.act("Start", func() error {
		err := e.Engine.Start(ctx, id)
		for _, c := range e.daemon.node.machine.All() {
			if err == nil && c.ID != id && c.State == container.StateRunning {
				e.daemon.node.addViolation("start of %s while %s is running", id, c.ID)
			}
		}
		return err
	})
}

func (e faultEngine) Stop(ctx context.Context, id string, grace time.Duration) error {
	return e.act("Stop", func() error { return e.Engine.Stop(ctx, id, grace) })
}

func (e faultEngine) Remove(ctx context.Context, id string) error {
	return e.act("Remove", func() error { return e.Engine.Remove(ctx, id) })
}

func (e faultEngine) RemoveForeign(ctx context.Context, gameID string, grace time.Duration) error {
	return e.act("RemoveForeign", func() error { return e.Engine.RemoveForeign(ctx, gameID, grace) })
}

func (e faultEngine) Inspect(ctx context.Context, id string) (found container.Container, err error) {
	err = e.daemon.call("Inspect", container.ErrEngineUnavailable, func() (err error) { found, err = e.Engine.Inspect(ctx, id); return err })
	return found, err
}

func (e faultEngine) List(ctx context.Context, gameID string) (found []container.Container, err error) {
	err = e.daemon.call("List", container.ErrEngineUnavailable, func() (err error) { found, err = e.Engine.List(ctx, gameID); return err })
	return found, err
}
