package fakeengine

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Machine holds the containers of one host. It outlives the engines on it, as containers
// outlive a daemon. It is safe for concurrent use.
type Machine struct {
	mu         sync.Mutex // guards all fields below
	images     []string
	digests    map[string]string // of images whose content was changed
	containers map[string]*fakeContainer
	lastID     int // number of the latest container; ids are never reused
	streams    map[*stream]struct{}
	boots      int       // number of restarts of the machine
	bootedAt   time.Time // time of the latest restart

	failure      error           // the error of every method; nil: the engine works
	reportsEmpty bool            // the engine lists no containers
	exitsOnStart map[string]int  // exit codes by image
	hanging      map[string]bool // ids of containers whose methods hang
}

// fakeContainer is a container of the machine.
type fakeContainer struct {
	container.Container
	ignoresStop bool // does not exit within the grace of a Stop
	port        int
	ports       []runtime.Port // of players
	boot        int            // boots of the machine at the latest start
	exited      chan struct{}  // closed when the current run ends
}

// New returns a machine with the images and without containers.
func New(images ...string) *Machine {
	return &Machine{
		images: slices.Clone(images), containers: map[string]*fakeContainer{}, streams: map[*stream]struct{}{},
		exitsOnStart: map[string]int{}, hanging: map[string]bool{},
	}
}

// Exit makes a running container exit by itself with the code; 128 plus a signal means
// that the signal killed it. It returns an error if the container does not run.
func (m *Machine) Exit(id string, code int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.containers[id]
	if c == nil || c.State != container.StateRunning {
		return fmt.Errorf("container %q is not running", id)
	}
	m.exit(c, code)
	return nil
}

// Reboot kills all running containers without an event, as the loss of power does. The
// containers then report that their engine restarted at the time.
func (m *Machine) Reboot(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boots, m.bootedAt = m.boots+1, at
	for _, c := range m.containers {
		if c.State == container.StateRunning {
			m.end(c, powerLossExitCode)
		}
	}
}

// StartExternally starts a container without a call to an engine. It returns an error if
// there is no such container.
func (m *Machine) StartExternally(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.containers[id]
	if c == nil {
		return fmt.Errorf("there is no container %q", id)
	}
	m.start(c)
	return nil
}

// RemoveExternally removes a container in any state without a call to an engine. It does
// nothing if there is no such container.
func (m *Machine) RemoveExternally(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.containers[id]; c != nil {
		m.remove(c)
	}
}

// FailWith makes every method return container.ErrEngineUnavailable with the reason, and
// ends all event streams. nil makes the engine work.
func (m *Machine) FailWith(reason error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failure = reason
	if reason != nil {
		for s := range m.streams {
			s.close()
		}
	}
}

// ReportEmpty makes every engine report no containers, although there are some. false
// ends this.
func (m *Machine) ReportEmpty(isEmpty bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reportsEmpty = isEmpty
}

// Hang makes Start, Stop and Remove of the container block until their context ends.
// Inspect and List still return it. false ends this for later calls.
func (m *Machine) Hang(id string, isHanging bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hanging[id] = isHanging
}

// ExitOnStart makes containers of the image exit with the code when they start.
func (m *Machine) ExitOnStart(image string, code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.exitsOnStart[image] = code
}

// RunOnStart ends the effect of ExitOnStart.
func (m *Machine) RunOnStart(image string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.exitsOnStart, image)
}

// All returns the containers of all owners, in the order of their creation, also while
// engines report none.
func (m *Machine) All() []container.Container {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]container.Container, 0, len(m.containers))
	for _, c := range m.containers {
		all = append(all, m.snapshot(c))
	}
	slices.SortFunc(all, func(a, b container.Container) int { return compareIDs(a.ID, b.ID) })
	return all
}

// compareIDs orders ids by their number: a shorter id has a smaller number.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// start starts the container, or does nothing if it is running. mu must be held.
func (m *Machine) start(c *fakeContainer) {
	if c.State == container.StateRunning {
		return
	}
	now := time.Now()
	c.boot = m.boots
	c.State, c.StartedAt, c.ExitedAt, c.ExitCode, c.StopKilled = container.StateRunning, &now, nil, nil, false
	c.Endpoint = fmt.Sprintf("http://192.0.2.1:%d", c.port) // a documentation address, RFC 5737
	c.Ports = slices.Clone(c.ports)
	for i := range c.Ports {
		c.Ports[i].Host = "192.0.2.1"
	}
	c.exited = make(chan struct{})
	m.publish(container.EventStarted, c)
	if code, exits := m.exitsOnStart[c.Labels.Image]; exits {
		m.exit(c, code)
	}
}

// exit makes a running container exit. mu must be held.
func (m *Machine) exit(c *fakeContainer, code int) {
	m.end(c, code)
	m.publish(container.EventExited, c)
}

// end is exit without an event. mu must be held.
func (m *Machine) end(c *fakeContainer, code int) {
	now := time.Now()
	c.State, c.ExitCode, c.ExitedAt, c.Endpoint = container.StateExited, &code, &now, ""
	c.Ports = nil
	close(c.exited)
}

// remove removes the container, and kills it first if it is running. mu must be held.
func (m *Machine) remove(c *fakeContainer) {
	if c.State == container.StateRunning {
		m.exit(c, killedExitCode)
	}
	delete(m.containers, c.ID)
	m.publish(container.EventRemoved, c)
}

// publish sends an event to the streams of the owner. mu must be held.
func (m *Machine) publish(kind container.EventType, c *fakeContainer) {
	for s := range m.streams {
		if s.owner.isOwnerOf(c.Labels) {
			s.add(container.Event{Type: kind, GameID: c.Labels.GameID, ContainerID: c.ID})
		}
	}
}

// snapshot returns a copy that shares no memory with the container. mu must be held.
func (m *Machine) snapshot(c *fakeContainer) container.Container {
	v := c.Container
	v.Ports, v.ReservedPorts = slices.Clone(v.Ports), slices.Clone(c.ports)
	if v.State == container.StateExited && c.boot < m.boots {
		v.EngineRestartedAt = clone(&m.bootedAt)
	}
	v.ExitCode, v.StartedAt, v.ExitedAt = clone(v.ExitCode), clone(v.StartedAt), clone(v.ExitedAt)
	return v
}

// clone returns a pointer to a copy, or nil.
func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
