package embeddedetcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

// Member is one running etcd member. It is safe for concurrent use.
type Member struct {
	etcd        *embed.Etcd
	client      *clientv3.Client
	closeClient func() // waits for what the client has under way in the server
	data        dataDir
	// endStreams ends what clients keep open, so that closing does not wait.
	endStreams  context.CancelFunc
	stopTimeout time.Duration

	failed   chan error    // has room for the one error it may carry
	closing  chan struct{} // closed when Close begins
	watching sync.WaitGroup
	close    func() error
}

// Start locks the data directory, starts etcd on it and waits until it serves.
// A member that was killed at any moment comes back with everything that it had
// acknowledged, also on other ports.
//
// It refuses, with words that name the directory, address or flag at fault: a
// setting that cannot work, a data directory that is in use, cannot be written
// or belongs to another cluster, and a port that is taken. It returns the error
// of ctx when that ends first; ctx does not end a member that has started.
func Start(ctx context.Context, cfg Config) (*Member, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	bound, cancel := context.WithTimeoutCause(ctx, cfg.StartTimeout, fmt.Errorf("not ready after %v", cfg.StartTimeout))
	defer cancel()
	if bound.Err() != nil {
		return nil, fmt.Errorf("start etcd: %w", context.Cause(bound))
	}
	data, err := lockDataDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	m := &Member{
		data: data, stopTimeout: cfg.StopTimeout,
		failed: make(chan error, 1), closing: make(chan struct{}),
	}
	m.close = sync.OnceValue(m.shutdown)
	var open context.Context
	open, m.endStreams = context.WithCancel(context.WithoutCancel(ctx))

	if err := m.boot(bound, open, cfg); err != nil {
		return nil, err
	}
	m.client, m.closeClient = InProcess(m.etcd.Server)
	m.watching.Go(m.watch)
	return m, nil
}

// boot starts etcd and waits for it. When it fails it leaves nothing behind.
func (m *Member) boot(ctx, open context.Context, cfg Config) error {
	launched := make(chan error, 1)
	go func() { launched <- m.launch(ctx, open, cfg) }()
	select {
	case err := <-launched:
		if err == nil {
			err = m.awaitReady(ctx)
		}
		if err == nil {
			err = m.data.noteBootstrapped()
		}
		if err != nil {
			return errors.Join(err, m.abandon())
		}
		return nil
	case <-ctx.Done():
	}
	// etcd takes no context while it opens its files. The lock goes when it is
	// through, and not before.
	go func() {
		<-launched //nolint:errcheck // whether it failed is of no interest any more
		_ = m.abandon()
	}()
	return fmt.Errorf("start etcd: %w", context.Cause(ctx))
}

// launch opens the data and the ports. Between finding a free port and taking
// it somebody else may take it; another is as good when port 0 was asked for.
func (m *Member) launch(ctx, open context.Context, cfg Config) error {
	for try := 1; ; try++ {
		at, err := findAddresses(ctx, cfg)
		if err != nil {
			return err
		}
		if err := m.data.joinCluster(cfg.ClusterToken, at.peer.String()); err != nil {
			return err
		}
		if err := m.data.discardStillbirth(); err != nil {
			return err
		}
		if err := os.MkdirAll(m.data.etcdDir(), 0o700); err != nil {
			return fmt.Errorf("data directory %s: %w", m.data.path, err)
		}
		e, err := settings(open, cfg, m.data, at)
		if err != nil {
			return err
		}
		m.etcd, err = embed.StartEtcd(e)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) || try == 3 {
			return fmt.Errorf("start etcd on %s: %w", m.data.etcdDir(), err)
		}
	}
}

func (m *Member) awaitReady(ctx context.Context) error {
	select {
	case <-m.etcd.Server.ReadyNotify():
		return nil
	case err := <-m.etcd.Err():
		return fmt.Errorf("start etcd on %s: %w", m.data.etcdDir(), orStopped(err))
	case <-m.etcd.Server.StopNotify():
		return fmt.Errorf("start etcd on %s: %w", m.data.etcdDir(), errStopped)
	case <-ctx.Done():
		return fmt.Errorf("start etcd on %s: %w", m.data.etcdDir(), context.Cause(ctx))
	}
}

// errStopped is all there is to say when etcd gives no reason; its log has more.
var errStopped = errors.New("etcd stopped by itself; its log says more")

func orStopped(err error) error {
	if err == nil {
		return errStopped
	}
	return err
}

// abandon takes back a start that failed.
func (m *Member) abandon() error {
	m.endStreams()
	if m.etcd == nil {
		return m.data.unlock()
	}
	return m.closeEtcd(func() {
		m.etcd.Server.Stop() // Close alone waits for a server that will never be ready
		m.etcd.Close()
	})
}

// Client returns the in-process client of the member, which is closed by Close.
// Whoever uses it should be done before that.
func (m *Member) Client() *clientv3.Client { return m.client }

// ClientURL returns the URL that clients such as etcdctl can use, with the port
// that was really taken.
func (m *Member) ClientURL() string { return "http://" + m.etcd.Clients[0].Addr().String() }

// Err gives one error if the member dies by itself, and is closed then and
// after Close.
func (m *Member) Err() <-chan error { return m.failed }

// Close stops the member and frees the data directory. Calling it again, at any
// time, gives the same result. It returns an error when etcd has not stopped
// within Config.StopTimeout; the directory stays locked in that case.
func (m *Member) Close() error { return m.close() }

func (m *Member) shutdown() error {
	close(m.closing)
	m.watching.Wait()
	m.endStreams()
	return m.closeEtcd(func() {
		m.closeClient()
		m.etcd.Close()
	})
}

// closeEtcd runs a way of closing etcd, but does not wait for it for ever.
func (m *Member) closeEtcd(closing func()) error {
	closed := make(chan error, 1)
	go func() {
		closing()
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

// watch reports a death that nobody asked for.
func (m *Member) watch() {
	defer close(m.failed)
	var err error
	select {
	case err = <-m.etcd.Err():
	case <-m.etcd.Server.StopNotify():
	case <-m.closing:
		return
	}
	m.failed <- fmt.Errorf("etcd on %s: %w", m.data.etcdDir(), orStopped(err))
}
