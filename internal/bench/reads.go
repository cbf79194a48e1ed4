package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/go-json-experiment/json"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// gamesPerReader is the number of random games that a reader selects in advance, so that
// neither workload includes the time of generating ids or keys.
const gamesPerReader = 1024

// getWorkloads returns the store's linearizable Get and etcd's, of the same games in the
// same order.
func getWorkloads(_ context.Context, r *runner) (measured, baseline workload, err error) {
	for i := range r.options.Readers {
		games, keys := r.randomGames(uint64(i))
		measured.workers = append(measured.workers, timedCall(func() func(context.Context) error {
			next := 0
			return func(ctx context.Context) error {
				next = (next + 1) % len(games)
				_, err := r.store.Get(ctx, games[next])
				return err
			}
		}()))
		baseline.workers = append(baseline.workers, timedCall(func() func(context.Context) error {
			next := 0
			return func(ctx context.Context) error {
				next = (next + 1) % len(keys)
				resp, err := r.cluster.Client.Get(ctx, keys[next])
				if err == nil && len(resp.Kvs) == 0 {
					err = fmt.Errorf("etcd has no key %s", keys[next])
				}
				return err
			}
		}()))
	}
	return measured, baseline, nil
}

// randomGames returns random games for a reader, with the keys of their records.
func (r *runner) randomGames(reader uint64) (games, keys []string) {
	random := rand.New(rand.NewPCG(reader, 1))
	games, keys = make([]string, gamesPerReader), make([]string, gamesPerReader)
	for i := range games {
		games[i] = recordGame(random.IntN(r.options.Records))
		keys[i] = r.recordKey(games[i])
	}
	return games, keys
}

// listWorkloads returns List and a range of the same records in pages, decoded.
func listWorkloads(_ context.Context, r *runner) (measured, baseline workload, err error) {
	return singleWorker(r.listStore), singleWorker(r.listBare), nil
}

// listByStatusWorkloads returns ListByStatus of the few removed games and List of all.
func listByStatusWorkloads(_ context.Context, r *runner) (measured, baseline workload, err error) {
	listRemoved := func(ctx context.Context) error {
		records, err := r.store.ListByStatus(ctx, runtime.StatusRemoved)
		return r.checkCount(len(records), r.options.selectedRecords(), err)
	}
	return singleWorker(listRemoved), singleWorker(r.listStore), nil
}

// singleWorker returns a workload with one worker.
func singleWorker(operation func(context.Context) error) workload {
	return workload{workers: []workerCall{timedCall(operation)}}
}

func (r *runner) listStore(ctx context.Context) error {
	records, err := r.store.List(ctx)
	return r.checkCount(len(records), r.recordCount(), err)
}

// recordCount returns the number of records in the store.
func (r *runner) recordCount() int { return r.loaded + len(r.writers) }

// checkCount returns err, or an error if a list has another number of records than
// expected.
func (r *runner) checkCount(got, want int, err error) error {
	if err == nil && got != want {
		err = fmt.Errorf("the list has %d records; the store has %d", got, want)
	}
	return err
}

// bareListPageSize is the number of records per page of the bare range. For every page
// etcd counts all keys that follow, so smaller pages are far slower. Larger pages are not
// faster.
const bareListPageSize = 10_000

// storedRecord is the part of a stored record that a reader needs.
type storedRecord struct {
	runtime.RuntimeRecord
}

// listBare reads all records from etcd at one revision and decodes them.
func (r *runner) listBare(ctx context.Context) error {
	from := r.recordKey("")
	end := clientv3.GetPrefixRangeEnd(from)
	records := make([]storedRecord, 0, r.recordCount()) // as if the number were known
	revision := int64(0)
	for {
		page, err := r.cluster.Client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(bareListPageSize), clientv3.WithRev(revision))
		if err != nil {
			return err
		}
		if revision == 0 {
			revision = page.Header.GetRevision()
		}
		for _, kv := range page.Kvs {
			records = append(records, storedRecord{})
			if err := json.Unmarshal(kv.GetValue(), &records[len(records)-1]); err != nil {
				return errors.Join(fmt.Errorf("decode %s", kv.GetKey()), err)
			}
		}
		if !page.More {
			return r.checkCount(len(records), r.recordCount(), nil)
		}
		from = string(page.Kvs[len(page.Kvs)-1].GetKey()) + "\x00"
	}
}
