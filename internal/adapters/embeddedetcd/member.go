package embeddedetcd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

// maxStartAttempts bounds how often etcd is started if another program takes a port that
// was free, or the members of the cluster that it joins change.
const maxStartAttempts = 3

// Member is a running etcd member. It is safe for concurrent use.
type Member struct {
	etcd      *embed.Etcd
	clientURL string
	client    *clientv3.Client
	gate      *gate // of all calls in the server
	data      dataDir
	clusterMu sync.Mutex // guards data.cluster once etcd has started
	fatal     *fatalLogger
	guard     *diskGuard
	state     *clusterState
	at        addresses
	startedAt time.Time
	// isStuck is set once a goroutine of etcd is blocked after a fatal error. etcd can
	// then not be closed; the process has to end.
	isStuck atomic.Bool
	// endStreams ends the streams that clients have open, so that closing does not wait
	// for them.
	endStreams  context.CancelFunc
	stopTimeout time.Duration

	failed   chan error    // buffered: has space for the only error that it carries
	closing  chan struct{} // closed when Close starts
	monitors sync.WaitGroup
	close    func() error
}

// Start locks the data directory, starts etcd on it and waits until etcd serves requests.
// A member that was killed at any time still has every acknowledged write at its next
// start, on the same ports or others.
//
// Start returns a *ConfigError if another process uses the data directory or if the
// directory cannot be written. It also returns one if the directory belongs to another
// cluster, if a port is in use, and if the disk has no space for a start. It returns a
// *CorruptDataError if etcd cannot read its files. It returns the error of ctx if ctx ends first; the end
// of ctx does not stop a member that has started.
func Start(ctx context.Context, cfg Config) (*Member, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	startCtx, cancel := cfg.boundStart(ctx)
	defer cancel()
	if startCtx.Err() != nil {
		return nil, fmt.Errorf("start etcd: %w", context.Cause(startCtx))
	}
	SetSegmentSize()
	data, err := lockDataDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	m := &Member{
		data: data, startedAt: time.Now(), stopTimeout: cfg.StopTimeout,
		failed: make(chan error, 1), closing: make(chan struct{}), fatal: newFatalLogger(),
	}
	m.gate, m.state = newGate(), newClusterState(cfg)
	m.fatal.removed = m.gate.close
	m.guard = newDiskGuard(data, cfg, m.fatal)
	cfg.Logger = m.fatal.wrap(cfg.Logger)
	m.close = sync.OnceValue(m.shutdown)
	var streams context.Context
	streams, m.endStreams = context.WithCancel(context.WithoutCancel(ctx))

	if err := m.boot(startCtx, streams, cfg); err != nil {
		return nil, err
	}
	m.client = newInProcess(m.etcd.Server, m.gate)
	m.client.KV = newGuardedKV(m.etcd.Server, m.gate, m.client, func() bool { return m.guard.full.Load() != nil })
	m.guard.check()
	m.monitors.Go(m.reportFailure)
	if cfg.Cluster == nil {
		close(m.state.ready)
		return m, nil
	}
	m.report("waiting for a leader of the cluster") // Health returns it from here on
	clusterCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.monitors.Go(func() { <-m.closing; stop() })
	m.monitors.Go(func() { m.runInCluster(clusterCtx, cfg, m.at) })
	return m, nil
}

// boundStart bounds the start of a single member. A member of a cluster waits for the others, which
// may be started much later.
func (c Config) boundStart(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Cluster != nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, c.StartTimeout, fmt.Errorf("not ready after %v", c.StartTimeout))
}

// boot starts etcd and waits until it is ready. It releases all resources if it fails.
func (m *Member) boot(ctx, streams context.Context, cfg Config) error {
	started := make(chan error, 1)
	go func() {
		started <- recoverFaults(func() error { return m.startEtcd(ctx, streams, cfg) })
	}()
	select {
	case err := <-m.fatal.failed:
		m.isStuck.Store(true)
		return errors.Join(m.startError(err), m.data.unlock())
	case err := <-started:
		if err == nil && cfg.Cluster == nil {
			if err = m.waitReady(ctx); err == nil {
				err = m.data.markBootstrapped(m.at.advertisedClient.String(), m.etcd.Server)
			}
		}
		if err != nil {
			return errors.Join(err, m.cleanup())
		}
		return nil
	case <-ctx.Done():
	}
	// etcd takes no context while it opens its files. The lock must not be released
	// before etcd has finished.
	go func() {
		<-started //nolint:errcheck // the caller has already received an error
		_ = m.cleanup()
	}()
	return fmt.Errorf("start etcd: %w", context.Cause(ctx))
}

// startEtcd opens the data and the ports. Another program can take a port between
// findAddresses and the start; with port 0 the next attempt uses another port.
func (m *Member) startEtcd(ctx, streams context.Context, cfg Config) error {
	for attempt := 1; ; attempt++ {
		at, err := findAddresses(ctx, cfg)
		if err != nil {
			return err
		}
		if err := m.prepare(ctx, cfg, at); err != nil {
			return err
		}
		if err := m.data.requireSpace(); err != nil {
			return err
		}
		if err := m.data.removeIncompleteBootstrap(); err != nil {
			return err
		}
		if err := m.data.verify(ctx); err != nil {
			return err
		}
		if err := os.MkdirAll(m.data.etcdDir(), 0o700); err != nil {
			return fmt.Errorf("data directory %s: %w", m.data.path, err)
		}
		etcdCfg, err := newEtcdConfig(streams, cfg, m.data, at, m.gate)
		if err != nil {
			return err
		}
		m.data.waitForLogLocks(ctx)
		m.etcd, err = embed.StartEtcd(etcdCfg)
		if err == nil {
			m.at, m.clientURL = at, clientURL(at, m.etcd.Clients[0].Addr())
			return protectSockets(cfg)
		}
		if !errors.Is(err, syscall.EADDRINUSE) && !m.isMembershipChanged(err) || attempt == maxStartAttempts {
			return m.startError(err)
		}
	}
}

// isMembershipChanged reports whether etcd has rejected the start of a member that joins, because
// another member was added, removed or changed since the cluster accepted this one. etcd has no
// type for this error. The next attempt joins once more.
func (m *Member) isMembershipChanged(err error) bool {
	return m.data.initialCluster != "" && strings.Contains(err.Error(), "error validating peerURLs")
}

// prepare makes the data directory ready for etcd.
func (m *Member) prepare(ctx context.Context, cfg Config, at addresses) error {
	if cfg.Cluster != nil {
		return m.prepareCluster(ctx, cfg, at)
	}
	if err := m.data.prepareSingle(cfg.ClusterToken, at.advertisedPeer.String()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if m.data.cluster.MemberID == 0 {
		return nil
	}
	return m.checkCopy(ctx, cfg, []string{m.data.cluster.ClientURL})
}

// clientURL returns the URL for clients on this machine.
func clientURL(at addresses, listening net.Addr) string {
	if at.client.Scheme == "unix" {
		return at.client.String()
	}
	return at.client.Scheme + "://" + listening.String()
}

// startError returns the error of a start that failed in etcd. Files of a member that has
// been ready before are then corrupt, if the disk has space and can be written.
func (m *Member) startError(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return dataDirError("data directory %s: its disk is full, and etcd cannot start without space for its log: %w; free some space", m.data.path, err)
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), !m.data.cluster.Bootstrapped:
		return fmt.Errorf("start etcd on %s: %w", m.data.etcdDir(), err)
	default:
		return &CorruptDataError{Dir: m.data.path, Path: filepath.Join(m.data.etcdDir(), "member"), Err: err}
	}
}

// waitReady waits until etcd serves requests.
func (m *Member) waitReady(ctx context.Context) error {
	select {
	case <-m.etcd.Server.ReadyNotify():
		return nil
	case err := <-m.etcd.Err():
		return fmt.Errorf("start etcd on %s: %w", m.data.etcdDir(), orErrStopped(err))
	case err := <-m.fatal.failed:
		m.isStuck.Store(true)
		return m.startError(err)
	case <-m.etcd.Server.StopNotify():
		return fmt.Errorf("start etcd on %s: %w", m.data.etcdDir(), errStopped)
	case <-ctx.Done():
		return fmt.Errorf("start etcd on %s: %w", m.data.etcdDir(), context.Cause(ctx))
	}
}

// errStopped is the error of a member that stopped without an error of etcd.
var errStopped = errors.New("etcd stopped by itself; its log contains the reason")

// orErrStopped returns err, or errStopped if err is nil.
func orErrStopped(err error) error {
	if err == nil {
		return errStopped
	}
	return err
}

// cleanup releases the resources of a start that failed.
func (m *Member) cleanup() error {
	m.endStreams()
	if m.etcd == nil {
		return m.data.unlock()
	}
	return m.closeEtcd(func() {
		m.etcd.Server.Stop() // Close alone waits for a server that never becomes ready
		m.etcd.Close()
	})
}

// Client returns the in-process client of the member. Close closes it; its users should
// have finished before.
func (m *Member) Client() *clientv3.Client { return m.client }

// ClientURL returns the URL for clients such as etcdctl, with the port that the member
// listens on, or the path of its socket.
func (m *Member) ClientURL() string { return m.clientURL }

// Err returns a channel that carries one error if the member stops by itself. The channel
// is closed after that and after Close.
func (m *Member) Err() <-chan error { return m.failed }

// Close stops the member and unlocks the data directory. Every further call returns the
// same result. Close returns an error if etcd has not stopped within Config.StopTimeout;
// the directory is then still locked.
func (m *Member) Close() error { return m.close() }

// shutdown stops the member; Close calls it once.
func (m *Member) shutdown() error {
	close(m.closing)
	m.monitors.Wait()
	m.endStreams()
	return m.closeEtcd(func() {
		_ = m.client.Close() // always returns "context canceled"
		m.gate.close()
		select {
		case <-m.etcd.Server.ReadyNotify():
		default:
			m.etcd.Server.Stop() // Close alone waits for a server that never becomes ready
		}
		m.etcd.Close()
	})
}

// closeEtcd calls closeServer, which closes etcd, and waits for it until stopTimeout.
func (m *Member) closeEtcd(closeServer func()) error {
	if m.isStuck.Load() {
		return m.data.unlock()
	}
	closed := make(chan error, 1)
	go func() {
		closeServer()
		m.data.restoreBallast()
		closed <- m.data.unlock()
	}()
	timeout := time.NewTimer(m.stopTimeout)
	defer timeout.Stop()
	select {
	case err := <-closed:
		return err
	case <-timeout.C:
		return fmt.Errorf("etcd on %s has not stopped within %v", m.data.etcdDir(), m.stopTimeout)
	}
}

// DiskFull returns a *DiskFullError while the member accepts no writes because its disk is
// full, and nil otherwise.
func (m *Member) DiskFull() error {
	if full := m.guard.full.Load(); full != nil {
		return full
	}
	return nil
}

// reportFailure sends an error to failed if etcd stops before Close. It checks the disk
// until then.
func (m *Member) reportFailure() {
	defer close(m.failed)
	ctx, cancel := context.WithCancel(context.Background())
	var guarding sync.WaitGroup
	guarding.Go(func() { m.guard.run(ctx) })
	defer guarding.Wait()
	defer cancel()
	var err error
	select {
	case err = <-m.fatal.failed:
		m.isStuck.Store(true)
	case err = <-m.etcd.Err():
	case err = <-m.state.failed:
	case <-m.etcd.Server.StopNotify():
	case <-m.closing:
		return
	}
	_, isReported := errors.AsType[*RemovedError](err)
	if !isReported && m.isRemoved() {
		err, isReported = m.markRemoved(), true
	}
	if isReported {
		m.failed <- err
		return
	}
	err = fmt.Errorf("etcd on %s: %w", m.data.etcdDir(), orErrStopped(err))
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("%w; free some space and restart it", err)
	}
	m.failed <- err
}

// isRemoved reports whether etcd has stopped because the member was removed from its cluster.
func (m *Member) isRemoved() bool {
	server := m.etcd.Server
	return m.fatal.isRemoved.Load() || server.IsIDRemoved(uint64(server.MemberID()))
}

// markRemoved records in cluster.json that the member was removed, so that the next start
// does not open the data, and returns the *RemovedError.
func (m *Member) markRemoved() error {
	err := m.updateCluster(func(c *clusterInfo) { c.Removed = true })
	return errors.Join(m.data.removedError(), err)
}
