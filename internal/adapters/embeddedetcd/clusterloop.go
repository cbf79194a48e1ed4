package embeddedetcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/wait"
)

const (
	// leaderCheckInterval is how often a member checks whether it has a leader.
	leaderCheckInterval = time.Second
	// membershipInterval is how often it reads the member list and the timing of the cluster.
	membershipInterval = 10 * time.Second
	// membershipTimeout bounds these reads.
	membershipTimeout = 10 * time.Second
)

// clusterState is the state of a member of a cluster.
type clusterState struct {
	ready chan struct{} // closed once the member has a vote and serves requests
	// waiting describes why the start waits; nil once the member is ready.
	waiting atomic.Pointer[string]
	// unreachable describes the members that do not respond while there is no leader.
	unreachable atomic.Pointer[string]
	failed      chan error // buffered: has space for the only error that it carries
	reportState func(string)
	warnTiming  sync.Once
	logger      *slog.Logger
}

func newClusterState(cfg Config) *clusterState {
	s := &clusterState{ready: make(chan struct{}), failed: make(chan error, 1), logger: slog.New(slog.DiscardHandler)}
	if cfg.Cluster != nil {
		s.reportState = cfg.Cluster.Report
		s.logger = cmp.Or(cfg.Cluster.Logger, s.logger)
	}
	return s
}

// report sets and logs why the start waits.
func (m *Member) report(state string) {
	s := m.state
	if previous := s.waiting.Swap(&state); previous != nil && *previous == state {
		return
	}
	s.logger.Info("the start of the member waits", "reason", state)
	if s.reportState != nil {
		s.reportState(state)
	}
}

// Ready returns a channel that is closed once the member serves requests and, in a cluster, has a
// vote. A single member is ready when Start returns.
func (m *Member) Ready() <-chan struct{} { return m.state.ready }

// Health returns why the member cannot serve linearizable requests, and nil if it can.
func (m *Member) Health() error {
	select {
	case <-m.state.ready:
	default:
		if m.etcd.Server.Lead() != 0 {
			return errors.New(*m.state.waiting.Load())
		}
		return m.noLeaderError()
	}
	if m.etcd.Server.Lead() == 0 {
		return m.noLeaderError()
	}
	return nil
}

// noLeaderError describes a member without a leader.
func (m *Member) noLeaderError() error {
	voters := 0
	for _, member := range m.etcd.Server.Cluster().Members() {
		if !member.IsLearner {
			voters++
		}
	}
	text := fmt.Sprintf("the etcd member %s has no leader: %d of %d members must run and reach each other", m.etcd.Config().Name, voters/2+1, voters)
	if unreachable := m.state.unreachable.Load(); unreachable != nil && *unreachable != "" {
		text += "; no response from " + *unreachable
	}
	return errors.New(text)
}

// runInCluster completes the start of a member of a cluster, and then keeps cluster.json and the
// keys of the cluster current until ctx ends.
func (m *Member) runInCluster(ctx context.Context, cfg Config, at addresses) {
	ticker := time.NewTicker(leaderCheckInterval)
	defer ticker.Stop()
	watch := leaderWatch{member: m, cfg: cfg}
	promoted := make(chan error, 1)
	go func() { promoted <- m.becomeVoter(ctx) }()
	for isWaiting := true; isWaiting; {
		select {
		case err := <-promoted:
			if err != nil {
				m.state.fail(ctx, err)
				return
			}
			isWaiting = false
		case <-ticker.C:
			watch.check(ctx)
		}
	}
	isNew := m.data.cluster.Origin == originJoin && !m.data.cluster.Bootstrapped
	if err := m.recordMembership(at); err != nil {
		m.state.fail(ctx, err)
		return
	}
	if err := m.refreshUntilDone(ctx, cfg, at); err != nil {
		return // ctx has ended
	}
	close(m.state.ready)
	m.logReady()
	if !isNew { // a new member has copied its data just now
		m.monitors.Go(m.checkCorruption)
	}
	m.keepCurrent(ctx, cfg, at, ticker, &watch)
}

func (m *Member) logReady() {
	m.state.logger.Info("the member is part of its cluster", "name", m.etcd.Config().Name,
		"member_id", m.etcd.Server.MemberID().String(), "cluster_id", m.etcd.Server.Cluster().ID().String())
}

// fail ends the member with the error, unless ctx has ended.
func (s *clusterState) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	select {
	case s.failed <- err:
	default: // it has failed already
	}
}

// becomeVoter waits until etcd serves requests, and gives a learner its vote.
func (m *Member) becomeVoter(ctx context.Context) error {
	select {
	case <-m.etcd.Server.ReadyNotify():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !m.etcd.Server.IsLearner() {
		return nil
	}
	m.report("copying the data of the cluster")
	// The read ends when this member has applied all that the leader had committed.
	if _, err := m.client.Get(ctx, "/"); err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err := etcdcluster.Promote(ctx, m.client, uint64(m.etcd.Server.MemberID()), func(reason error) {
		m.report("waiting for a vote: " + reason.Error())
	})
	if err != nil {
		return err
	}
	for m.etcd.Server.IsLearner() { // the change has been decided, and is applied in a moment
		if err := wait.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// checkCorruption compares the database with those of the other members, as etcd does at the
// start of a single member.
func (m *Member) checkCorruption() {
	if err := recoverFaults(m.etcd.Server.CorruptionChecker().InitialCheck); err != nil {
		select {
		case <-m.closing:
		case <-m.gate.ctx.Done(): // the database is closed, or will be
		case m.state.failed <- fmt.Errorf("the database differs from those of other members: %w; remove this member from the cluster, and join as a new one", err):
		}
	}
}

// recordMembership writes identity and addresses of the member to cluster.json.
func (m *Member) recordMembership(at addresses) error {
	server := m.etcd.Server
	return m.updateCluster(func(c *clusterInfo) {
		c.Bootstrapped = true
		c.ClusterID, c.MemberID = hexID(server.Cluster().ID()), hexID(server.MemberID())
		c.PeerURL, c.ClientURL = at.advertisedPeer.String(), at.advertisedClient.String()
		c.Others = nil
		for _, other := range server.Cluster().Members() {
			if other.ID != server.MemberID() {
				c.Others = append(c.Others, otherMember{Name: other.Name, ClientURLs: other.ClientURLs, PeerURLs: other.PeerURLs})
			}
		}
	})
}

// updateCluster changes cluster.json.
func (m *Member) updateCluster(change func(c *clusterInfo)) error {
	m.clusterMu.Lock()
	defer m.clusterMu.Unlock()
	c := m.data.cluster
	change(&c)
	if reflect.DeepEqual(c, m.data.cluster) {
		return nil
	}
	return m.data.writeCluster(c)
}

// keepCurrent keeps cluster.json and the keys of the cluster current until ctx ends.
func (m *Member) keepCurrent(ctx context.Context, cfg Config, at addresses, ticker *time.Ticker, watch *leaderWatch) {
	next := time.Now()
	for {
		if !time.Now().Before(next) && m.etcd.Server.Lead() != 0 {
			if err := m.refresh(ctx, cfg, at); err != nil && ctx.Err() == nil && m.gate.ctx.Err() == nil {
				m.state.logger.Warn("the membership of the cluster could not be refreshed", "error", err)
			}
			next = time.Now().Add(membershipInterval)
		}
		select {
		case <-ticker.C:
			watch.check(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// refreshUntilDone repeats refresh until it succeeds or ctx ends.
func (m *Member) refreshUntilDone(ctx context.Context, cfg Config, at addresses) error {
	for {
		err := m.refresh(ctx, cfg, at)
		if err == nil || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		m.report("waiting for the cluster: " + err.Error())
		_ = wait.For(ctx, leaderCheckInterval) // the next round returns the end of ctx
	}
}

// refresh does one round of keepCurrent.
func (m *Member) refresh(ctx context.Context, cfg Config, at addresses) error {
	ctx, cancel := context.WithTimeout(ctx, membershipTimeout)
	defer cancel()
	if err := m.recordMembership(at); err != nil {
		return err
	}
	if err := m.updatePeerURL(ctx, at.advertisedPeer); err != nil {
		return err
	}
	if err := etcdcluster.EnsureIdentity(ctx, m.client, etcdcluster.Identity{Token: cfg.ClusterToken}); err != nil {
		return err
	}
	return m.refreshTiming(ctx)
}

// updatePeerURL changes the peer URL of the member to the one that it advertises.
func (m *Member) updatePeerURL(ctx context.Context, advertised url.URL) error {
	self := m.etcd.Server.Cluster().Member(m.etcd.Server.MemberID())
	if self == nil || slices.Equal(self.PeerURLs, []string{advertised.String()}) {
		return nil
	}
	_, err := m.client.MemberUpdate(ctx, uint64(self.ID), []string{advertised.String()})
	if err != nil {
		return fmt.Errorf("change the peer URL of this member from %s to %s: %w", strings.Join(self.PeerURLs, ", "), advertised.String(), err)
	}
	m.state.logger.Info("the peer URL of this member has changed", "from", self.PeerURLs, "to", advertised.String())
	return nil
}

// refreshTiming stores the timing of the cluster for the next start, and reports that this member
// runs with another one.
func (m *Member) refreshTiming(ctx context.Context) error {
	config := m.etcd.Config()
	running := etcdcluster.Timing{Heartbeat: time.Duration(config.TickMs) * time.Millisecond, Election: time.Duration(config.ElectionMs) * time.Millisecond}
	stored, err := etcdcluster.EnsureTiming(ctx, m.client, running)
	if err != nil {
		return err
	}
	if err := m.updateCluster(func(c *clusterInfo) { c.Timing = stored }); err != nil {
		return err
	}
	if stored != running {
		m.state.warnTiming.Do(func() {
			m.state.logger.Warn("this member runs with another timing than its cluster; restart its daemon", "running", running.String(), "cluster", stored.String())
		})
	}
	return etcdcluster.ReportTiming(ctx, m.client, uint64(m.etcd.Server.MemberID()), running)
}
