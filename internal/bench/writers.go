package bench

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// The key families of the store's layout, which bare requests use too.
const (
	recordFamily = "/runtimes/"
	indexFamily  = "/runtimes-by-status/"
	ledgerFamily = "/transitions/"
	ledgerSlots  = 32
)

// updateWorkloadsFor returns the workload of the store's transitions, and the workload of
// the same transactions on bare etcd.
func updateWorkloadsFor(writers func(Options) int) func(context.Context, *runner) (workload, workload, error) {
	return func(_ context.Context, r *runner) (measured, baseline workload, err error) {
		measured, baseline = r.updateWorkloads(writers(r.options))
		return measured, baseline, nil
	}
}

// updateWorkloads returns both workloads with this number of writers.
func (r *runner) updateWorkloads(writers int) (measured, baseline workload) {
	measured.writes, baseline.writes = true, true
	for i := range writers {
		measured.workers = append(measured.workers, timedCall(r.writers[i].transitionOn(r.store)))
		baseline.workers = append(baseline.workers, timedCall(r.bareWriters[i].send))
	}
	return measured, baseline
}

// writer alternates the status of one game between running and stopped.
type writer struct{ input ports.UpdateStatusInput }

// newWriter inserts the game and returns its writer.
func newWriter(ctx context.Context, store ports.RuntimeRecordStore, game string) (*writer, error) {
	record := newRunningRecord(game)
	w := &writer{input: ports.UpdateStatusInput{
		GameID: game, ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped,
		ExpectedContainerID: record.CurrentContainerID, Now: record.LastOpAt,
	}}
	return w, store.Upsert(ctx, record)
}

// transitionOn returns a function that makes the writer's next transition on the store.
func (w *writer) transitionOn(store ports.RuntimeRecordStore) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := store.UpdateStatus(ctx, w.input); err != nil {
			return err
		}
		w.input.ExpectedFrom, w.input.To = w.input.To, w.input.ExpectedFrom
		return nil
	}
}

// bareWriter sends the etcd transaction of a transition. It is the only writer of its
// game, so it knows every revision in advance. It creates the constant parts of the
// transaction once.
type bareWriter struct {
	client      *clientv3.Client
	recordKey   string
	ledgerKeys  [ledgerSlots]string
	readRecord  clientv3.Op
	revision    int64
	sent        int
	transitions [2]bareTransition // to stopped, to running
}

// bareTransition is one direction, with the values that the store wrote for it.
type bareTransition struct {
	compares []clientv3.Cmp // the first, on the revision, changes
	ops      []clientv3.Op  // the last, the ledger's put, changes
	entry    string
}

// newBareWriter inserts the game and makes both transitions on a store with barePrefix. It
// copies the values that the store wrote.
func (r *runner) newBareWriter(ctx context.Context, store ports.RuntimeRecordStore, game string) (*bareWriter, error) {
	template, err := newWriter(ctx, store, game)
	if err != nil {
		return nil, err
	}
	prefix := r.barePrefix()
	w := &bareWriter{client: r.cluster.Client, recordKey: prefix + recordFamily + game}
	w.readRecord = clientv3.OpGet(w.recordKey)
	for slot := range w.ledgerKeys {
		w.ledgerKeys[slot] = fmt.Sprintf("%s%s%s/%02d", prefix, ledgerFamily, game, slot)
	}
	w.sent = 1 // the insert
	for i := range w.transitions {
		from, to, container := template.input.ExpectedFrom, template.input.To, template.input.ExpectedContainerID
		if err := template.transitionOn(store)(ctx); err != nil {
			return nil, err
		}
		w.sent++
		value, entry, err := w.readWritten(ctx)
		if err != nil {
			return nil, err
		}
		index := func(status runtime.Status) string { return prefix + indexFamily + string(status) + "/" + game }
		w.transitions[i] = bareTransition{
			compares: []clientv3.Cmp{
				{}, // of the revision
				clientv3.Compare(clientv3.Value(index(from)), "=", container),
				clientv3.Compare(clientv3.CreateRevision(index(to)), "=", 0),
				clientv3.Compare(clientv3.CreateRevision(index(runtime.StatusRemoved)), "=", 0),
			},
			ops: []clientv3.Op{
				clientv3.OpDelete(index(from)), clientv3.OpPut(w.recordKey, value), clientv3.OpPut(index(to), container),
				{}, // of the ledger
			},
			entry: entry,
		}
	}
	return w, nil
}

// readWritten returns the values of the store's last write, and stores its revision.
func (w *bareWriter) readWritten(ctx context.Context) (value, entry string, err error) {
	resp, err := w.client.Txn(ctx).Then(w.readRecord, clientv3.OpGet(w.ledgerKeys[w.sent%ledgerSlots])).Commit()
	if err != nil {
		return "", "", err
	}
	record, ledger := resp.Responses[0].GetResponseRange().GetKvs(), resp.Responses[1].GetResponseRange().GetKvs()
	if len(record) == 0 || len(ledger) == 0 {
		return "", "", errors.New("record and ledger of the store do not have the keys of the bare requests")
	}
	w.revision = record[0].GetModRevision()
	return string(record[0].GetValue()), string(ledger[0].GetValue()), nil
}

// errCompareFailed cannot occur while no other process writes under the prefix of the run.
var errCompareFailed = errors.New("the compare of the bare transaction failed; another process has written its keys")

// send sends the next transaction.
func (w *bareWriter) send(ctx context.Context) error {
	w.sent++
	transition := &w.transitions[w.sent%2]
	transition.compares[0] = clientv3.Compare(clientv3.ModRevision(w.recordKey), "=", w.revision)
	transition.ops[3] = clientv3.OpPut(w.ledgerKeys[w.sent%ledgerSlots], transition.entry)
	resp, err := w.client.Txn(ctx).If(transition.compares...).Then(transition.ops...).Else(w.readRecord).Commit()
	if err != nil {
		return err
	}
	if !resp.Succeeded {
		return errCompareFailed
	}
	w.revision = resp.Header.GetRevision()
	return nil
}
