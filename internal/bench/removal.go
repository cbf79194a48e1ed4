package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// LeftoverError is the error of a run whose keys could not be removed from the cluster.
type LeftoverError struct {
	Prefix string
	Err    error
}

func (e *LeftoverError) Error() string {
	return fmt.Sprintf("keys under %s could not be removed: %v", e.Prefix, e.Err)
}

func (e *LeftoverError) Unwrap() error { return e.Err }

// close closes the store and removes everything that the run wrote, also if ctx has ended.
func (r *runner) close(ctx context.Context) error {
	var stopErr error
	if r.peer != nil {
		stopErr = r.peer.Close()
	}
	if r.stopServer != nil {
		stopErr = errors.Join(stopErr, r.stopServer())
	}
	r.closeStore()
	return errors.Join(stopErr, r.removeKeys(ctx))
}

// removeKeys removes everything that the run wrote to a cluster of others.
func (r *runner) removeKeys(ctx context.Context) error {
	if r.cluster.isTemporary() {
		return nil
	}
	r.progress(Progress{Activity: "remove " + r.prefix})
	removal := keyRemoval{client: r.cluster.Client, prefix: r.prefix + "/", loadedRanges: r.loadedKeyRanges(), attempts: 5, callTimeout: 10 * time.Second}
	if !r.hasOpened {
		// The cluster may be unreachable. Nothing was written except, perhaps, the
		// identity of the store.
		removal.attempts, removal.callTimeout = 1, time.Second
	}
	if err := removal.run(context.WithoutCancel(ctx)); err != nil && r.hasOpened {
		return &LeftoverError{Prefix: r.prefix, Err: err}
	}
	return nil
}

// keyRemoval deletes every key of a prefix, in requests that delay other users of the
// cluster for a few milliseconds each.
type keyRemoval struct {
	client *clientv3.Client
	prefix string
	// loadedRanges are prefixes of keys that are likely to exist. Each list is one
	// request.
	loadedRanges [][]string
	attempts     int // of each request, one second apart
	callTimeout  time.Duration
}

// keysPerDelete is the number of keys that one request reads and deletes.
const keysPerDelete = 500

// run first deletes the loaded records, whose keys it can compute: for a range with a
// limit etcd counts all its keys, which is slow. Then it reads and deletes the remaining
// keys, some at a time.
func (m keyRemoval) run(ctx context.Context) error {
	for _, ranges := range m.loadedRanges {
		if err := m.retry(func() error { return m.deleteRanges(ctx, ranges) }); err != nil {
			return err
		}
	}
	for hasMore := true; hasMore; {
		err := m.retry(func() (err error) {
			hasMore, err = m.deleteNext(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// retry repeats a failed request until it has made all attempts.
func (m keyRemoval) retry(request func() error) error {
	err := request()
	for attempt := 1; err != nil && attempt < m.attempts; attempt++ {
		<-time.After(time.Second)
		err = request()
	}
	return err
}

func (m keyRemoval) deleteRanges(ctx context.Context, prefixes []string) error {
	ctx, cancel := context.WithTimeout(ctx, m.callTimeout)
	defer cancel()
	var deletes []clientv3.Op
	for _, prefix := range prefixes {
		deletes = append(deletes, clientv3.OpDelete(prefix, clientv3.WithPrefix()))
	}
	_, err := m.client.Txn(ctx).Then(deletes...).Commit()
	return err
}

// deleteNext deletes the first keys. It returns false if there were none.
func (m keyRemoval) deleteNext(ctx context.Context) (hasMore bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.callTimeout)
	defer cancel()
	found, err := m.client.Get(ctx, m.prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(keysPerDelete))
	if err != nil || len(found.Kvs) == 0 {
		return false, err
	}
	last := string(found.Kvs[len(found.Kvs)-1].GetKey())
	_, err = m.client.Delete(ctx, string(found.Kvs[0].GetKey()), clientv3.WithRange(last+"\x00"))
	return true, err
}

// loadedKeyRanges returns the key prefixes of all records that may have been loaded, those
// of a hundred games per list.
func (r *runner) loadedKeyRanges() [][]string {
	var all [][]string
	for first := 0; first < r.loadStarted; first += 100 {
		games := strings.TrimSuffix(recordGame(first), "00")
		var ranges []string
		for _, family := range []string{
			recordFamily, ledgerFamily, indexFamily + string(runtime.StatusRunning) + "/", indexFamily + string(runtime.StatusRemoved) + "/",
		} {
			ranges = append(ranges, r.storePrefix()+family+games)
		}
		all = append(all, ranges)
	}
	return all
}
