package members

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options are those of Start.
type Options struct {
	// Command is the program, and its arguments, whose process calls Serve.
	Command []string
	// Size is the number of members; at least 1.
	Size int
}

// Cluster is a running cluster. It is safe for concurrent use.
type Cluster struct {
	dir       string // temporary, of all members
	processes []*process
	failed    chan error
	close     func() error
}

// startAttempts bounds how often a cluster is started if another program takes a port that
// was free.
const startAttempts = 3

// Start starts the members and waits until all of them serve requests. It returns the
// cause of ctx if ctx ends first; the end of ctx does not stop a cluster that has started.
// The caller closes the cluster.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("the members of etcd were not ready after %s", startTimeout))
	defer cancel()
	var faults []error
	for range startAttempts {
		cluster, err := start(ctx, options)
		if err == nil {
			return cluster, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

func start(ctx context.Context, options Options) (*Cluster, error) {
	c := &Cluster{failed: make(chan error, options.Size)}
	c.close = sync.OnceValue(c.stop)
	all, err := c.newSettings(ctx, options.Size)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		p, err := startProcess(options.Command, one)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.processes = append(c.processes, p)
	}
	for _, p := range c.processes {
		if err := p.awaitReady(ctx); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	for _, p := range c.processes {
		go c.watch(p)
	}
	return c, nil
}

// newSettings creates the directory of the cluster and returns the settings of its members.
func (c *Cluster) newSettings(ctx context.Context, size int) ([]settings, error) {
	ports, err := freePorts(ctx, 2*size)
	if err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "rtmanager-bench-"); err != nil {
		return nil, err
	}
	all, initial := make([]settings, size), make([]string, size)
	token := uuid.NewString()
	for i := range all {
		name := fmt.Sprintf("m%d", i+1)
		all[i] = settings{
			Name: name, Dir: filepath.Join(c.dir, name), Token: token,
			ClientURL: fmt.Sprintf("http://%s:%d", loopback, ports[2*i]), PeerURL: fmt.Sprintf("http://%s:%d", loopback, ports[2*i+1]),
		}
		initial[i] = name + "=" + all[i].PeerURL
	}
	for i := range all {
		all[i].InitialCluster = strings.Join(initial, ",")
	}
	return all, nil
}

// watch reports a member that ends before Close.
func (c *Cluster) watch(p *process) {
	if err := p.Err(); err != nil {
		c.failed <- p.wrap(err)
	}
}

// Failed receives the error of a member that ends before Close.
func (c *Cluster) Failed() <-chan error { return c.failed }

// ClientURLs returns the client URLs of the members.
func (c *Cluster) ClientURLs() []string {
	var urls []string
	for _, p := range c.processes {
		urls = append(urls, p.settings.ClientURL)
	}
	return urls
}

// ProcessIDs returns the process ids of the members.
func (c *Cluster) ProcessIDs() []int {
	var ids []int
	for _, p := range c.processes {
		ids = append(ids, p.ID())
	}
	return ids
}

// Size returns the number of members.
func (c *Cluster) Size() int { return len(c.processes) }

// StartProfiles starts a CPU profile of each member, in the file that the function returns
// for the name of the member. StopProfiles ends and completes them.
func (c *Cluster) StartProfiles(ctx context.Context, file func(member string) string) error {
	for _, p := range c.processes {
		path, err := filepath.Abs(file(p.settings.Name))
		if err != nil {
			return err
		}
		if _, err := p.request(ctx, requestProfile+path); err != nil {
			return err
		}
	}
	return nil
}

// StopProfiles ends the profiles of StartProfiles and completes their files.
func (c *Cluster) StopProfiles(ctx context.Context) error {
	var faults []error
	for _, p := range c.processes {
		_, err := p.request(ctx, requestProfileEnd)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// CPUTime returns the CPU time, user and system, that the processes of all members have
// used since they started.
func (c *Cluster) CPUTime(ctx context.Context) (time.Duration, error) {
	var total time.Duration
	for _, p := range c.processes {
		used, err := p.cpuTime(ctx)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// Close stops the members, kills those that do not stop in time, and removes their data.
// Further calls return the result of the first.
func (c *Cluster) Close() error { return c.close() }

func (c *Cluster) stop() error {
	for _, p := range c.processes {
		p.Stop()
	}
	deadline := time.After(stopTimeout)
	for _, p := range c.processes {
		select {
		case <-p.Done():
		case <-deadline:
			for _, late := range c.processes {
				late.Kill()
			}
			<-p.Done()
		}
	}
	return os.RemoveAll(c.dir)
}
