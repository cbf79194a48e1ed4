package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// recorder records every change of every key of etcd. It is safe for concurrent use.
type recorder struct {
	client *clientv3.Client // nil records nothing
	prefix string           // of the keys
	record *recording.Writer
	cancel context.CancelFunc
	done   sync.WaitGroup
	// history counts the restores of backups; it changes only while nothing is recorded.
	history int

	mu       sync.Mutex
	position int64 // the revision up to which all changes are recorded
	changed  chan struct{}
	err      error // why the recorder has ended
}

// startRecorder records the keys of an environment that exist, and from then on every change. The
// caller calls stop.
func startRecorder(ctx context.Context, env Environment, record *recording.Writer) (*recorder, error) {
	if env.Etcd == nil {
		return &recorder{cancel: func() {}}, nil
	}
	r := &recorder{client: env.Etcd, prefix: env.Prefix, record: record, changed: make(chan struct{})}
	return r, r.start(ctx)
}

// start records the keys that exist, and from then on every change.
func (r *recorder) start(ctx context.Context) error {
	key, keys := keysOf(r.prefix)
	resp, err := r.client.Get(ctx, key, keys)
	if err != nil {
		return fmt.Errorf("read the keys of etcd: %w", err)
	}
	for _, kv := range resp.Kvs {
		r.record.Change(recording.Change{
			Revision: kv.ModRevision, At: r.record.Now(), Key: string(kv.Key), Value: valueOf(kv), Created: kv.CreateRevision, Version: kv.Version, Lease: kv.Lease,
			Initial: true, History: r.history,
		})
	}
	r.position = resp.Header.Revision
	watchCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel = cancel
	r.done.Go(func() { r.run(watchCtx) })
	return nil
}

// startHistory continues after stop with the keys of an etcd whose history was replaced.
func (r *recorder) startHistory(ctx context.Context) error {
	r.history++
	ctx, cancel := context.WithTimeout(ctx, finalTimeout)
	defer cancel()
	return r.start(ctx)
}

// maxValue is more than any value of the store has. Faults that fill etcd write longer ones.
const maxValue = 64 << 10

// valueOf returns the value of a key, empty for one that is not of the store.
func valueOf(kv *mvccpb.KeyValue) string {
	if len(kv.Value) > maxValue {
		return ""
	}
	return string(kv.Value)
}

// keysOf returns the first key of a prefix and the option that selects all its keys.
func keysOf(prefix string) (key string, option clientv3.OpOption) {
	if prefix == "" {
		return "\x00", clientv3.WithFromKey()
	}
	return prefix + "/", clientv3.WithPrefix()
}

// run watches until ctx ends. The client resumes a watch that a member has broken off.
func (r *recorder) run(ctx context.Context) {
	key, keys := keysOf(r.prefix)
	for ctx.Err() == nil {
		watchCtx, cancel := context.WithCancel(ctx)
		for resp := range r.client.Watch(watchCtx, key, keys, clientv3.WithRev(r.recorded()+1)) {
			if resp.CompactRevision > 0 {
				r.fail(fmt.Errorf("etcd has compacted revision %d, which was not recorded", r.recorded()+1))
				cancel()
				return
			}
			if resp.Err() != nil {
				break
			}
			r.add(resp.Events)
			if resp.IsProgressNotify() {
				r.setPosition(resp.Header.Revision)
			}
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (r *recorder) add(events []*clientv3.Event) {
	if len(events) == 0 {
		return
	}
	at := r.record.Now()
	for _, e := range events {
		r.record.Change(recording.Change{
			Revision: e.Kv.ModRevision, At: at, Key: string(e.Kv.Key), Deleted: e.Type == clientv3.EventTypeDelete,
			Value: valueOf(e.Kv), Created: e.Kv.CreateRevision, Version: e.Kv.Version, Lease: e.Kv.Lease, History: r.history,
		})
	}
	r.setPosition(events[len(events)-1].Kv.ModRevision)
}

// setPosition sets the revision up to which all changes are recorded.
func (r *recorder) setPosition(revision int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position = max(r.position, revision)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) recorded() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.position
}

func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// catchUp waits until everything that etcd has applied by now is recorded, and returns that revision.
func (r *recorder) catchUp(ctx context.Context) (int64, error) {
	if r.client == nil {
		return 0, nil
	}
	resp, err := r.client.Get(ctx, "\x00", clientv3.WithCountOnly())
	if err != nil {
		return 0, fmt.Errorf("read the revision of etcd: %w", err)
	}
	for {
		r.mu.Lock()
		position, changed, err := r.position, r.changed, r.err
		r.mu.Unlock()
		if err != nil || position >= resp.Header.Revision {
			return position, err
		}
		// The last changes may be of other keys than those of the prefix.
		if err := r.client.RequestProgress(ctx); err != nil {
			return position, fmt.Errorf("request the progress of the watch: %w", err)
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // r.err may be set
		case <-ctx.Done():
			return position, fmt.Errorf("changes after revision %d are not recorded: %w", position, ctx.Err())
		}
	}
}

// stop ends the recording of changes.
func (r *recorder) stop() {
	r.cancel()
	r.done.Wait()
}
