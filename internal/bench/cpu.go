package bench

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/bench/cputime"
)

// cpuUsage is CPU time, user and system.
type cpuUsage struct {
	process time.Duration // of this process, including an embedded etcd
	etcd    time.Duration // of all members; 0 if the cluster does not report it
}

func (u cpuUsage) minus(earlier cpuUsage) cpuUsage {
	return cpuUsage{process: u.process - earlier.process, etcd: u.etcd - earlier.etcd}
}

// readCPU returns the CPU time that both sides have used so far.
func (c Cluster) readCPU(ctx context.Context) (used cpuUsage, err error) {
	if c.Members != nil {
		if used.etcd, err = c.Members.CPUTime(ctx); err != nil {
			return cpuUsage{}, err
		}
	}
	used.process = cputime.OfProcess()
	return used, nil
}

// isTemporary reports whether the data of the cluster is removed after the run.
func (c Cluster) isTemporary() bool { return c.Embedded || c.Members != nil }

// memberCount returns the number of members, 0 if it is not known.
func (c Cluster) memberCount() int {
	switch {
	case c.Members != nil:
		return c.Members.Size()
	case c.Embedded:
		return 1
	}
	return c.externalMembers
}

// countMembers counts the members of an external cluster, which may forbid it.
func (c *Cluster) countMembers(ctx context.Context) {
	if c.isTemporary() || c.Client.Cluster == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, memberListTimeout)
	defer cancel()
	if list, err := c.Client.MemberList(ctx); err == nil {
		c.externalMembers = len(list.Members)
	}
}

// memberListTimeout bounds the only request whose failure does not end a run.
const memberListTimeout = 5 * time.Second

// sleep returns the cause of ctx if ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
