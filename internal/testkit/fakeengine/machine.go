// Package fakeengine is an engine that runs nothing. Its containers do what a test
// tells them to, and it fails when a test tells it to, so that a story of a kill, a
// wedged container or an engine that lies can be told without waiting for one. It
// keeps the contract of ports.Engine otherwise, as enginetest proves.
package fakeengine

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

// Machine is what the engines of one host work on. It outlives them, as containers
// outlive a daemon. It is safe for concurrent use.
type Machine struct {
	mu         sync.Mutex // guards all below
	images     []string
	containers map[string]*fakeContainer
	last       int // number of the latest container; ids are never given again
	streams    map[*stream]struct{}

	down   error           // why nothing answers; nil: it does
	blind  bool            // it says that it has no containers
	unfit  map[string]int  // images that exit at once, with what
	wedged map[string]bool // containers that no act comes to an end with
}

// fakeContainer is one of the machine's. A run of it ends by closing ended.
type fakeContainer struct {
	container.Container
	deaf  bool // does not exit when asked
	port  int
	ended chan struct{}
}

// New returns a machine that has the images and no containers.
func New(images ...string) *Machine {
	return &Machine{
		images: slices.Clone(images), containers: map[string]*fakeContainer{}, streams: map[*stream]struct{}{},
		unfit: map[string]int{}, wedged: map[string]bool{},
	}
}

// Exit makes a running container exit by itself with the code, or be killed where
// that is 128 and the signal. It fails for one that does not run.
func (m *Machine) Exit(id string, code int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.containers[id]
	if c == nil || c.State != container.StateRunning {
		return fmt.Errorf("container %q does not run", id)
	}
	m.exit(c, code)
	return nil
}

// Revive starts a container behind the manager's back. It fails for one that is not there.
func (m *Machine) Revive(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.containers[id]
	if c == nil {
		return fmt.Errorf("there is no container %q", id)
	}
	m.start(c)
	return nil
}

// Lose takes a container away, whatever it does. One that is not there is success.
func (m *Machine) Lose(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.containers[id]; c != nil {
		m.remove(c)
	}
}

// Break makes every method fail with the reason, and ends the streams of events;
// nil mends that.
func (m *Machine) Break(reason error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = reason
	if reason != nil {
		for s := range m.streams {
			s.end()
		}
	}
}

// Blind makes the machine say that it has no containers, although it has.
func (m *Machine) Blind(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blind = on
}

// Wedge makes acts on the container hang until they are given up; what it does can
// still be seen.
func (m *Machine) Wedge(id string, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wedged[id] = on
}

// ExitsAtOnce makes containers of the image exit with the code as soon as they start.
func (m *Machine) ExitsAtOnce(image string, code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unfit[image] = code
}

// All returns every container of the machine, whoever owns it and whatever it says
// of them, in the order in which they were made.
func (m *Machine) All() []container.Container {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]container.Container, 0, len(m.containers))
	for _, c := range m.containers {
		all = append(all, c.view())
	}
	slices.SortFunc(all, func(a, b container.Container) int { return compareIDs(a.ID, b.ID) })
	return all
}

// start begins a run; one that runs is left alone.
func (m *Machine) start(c *fakeContainer) {
	if c.State == container.StateRunning {
		return
	}
	now := time.Now()
	c.State, c.StartedAt, c.ExitedAt, c.ExitCode = container.StateRunning, &now, nil, nil
	c.Endpoint = fmt.Sprintf("http://192.0.2.1:%d", c.port) // an address that is nobody's, RFC 5737
	c.ended = make(chan struct{})
	m.tell(container.EventStarted, c)
	if code, unfit := m.unfit[c.Labels.Image]; unfit {
		m.exit(c, code)
	}
}

// exit ends the run of a running container.
func (m *Machine) exit(c *fakeContainer, code int) {
	now := time.Now()
	c.State, c.ExitCode, c.ExitedAt, c.Endpoint = container.StateExited, &code, &now, ""
	close(c.ended)
	m.tell(container.EventExited, c)
}

func (m *Machine) remove(c *fakeContainer) {
	if c.State == container.StateRunning {
		m.exit(c, killed)
	}
	delete(m.containers, c.ID)
	m.tell(container.EventRemoved, c)
}

func (m *Machine) tell(kind container.EventType, c *fakeContainer) {
	for s := range m.streams {
		if s.owner.of(c.Labels) {
			s.put(container.Event{Type: kind, GameID: c.Labels.GameID, ContainerID: c.ID})
		}
	}
}

// view is a copy that shares no memory with the container.
func (c *fakeContainer) view() container.Container {
	v := c.Container
	v.ExitCode, v.StartedAt, v.ExitedAt = copied(v.ExitCode), copied(v.StartedAt), copied(v.ExitedAt)
	return v
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
