package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// A transition with a stale precondition fails with the record that won.
func ExampleOpen() {
	ctx := context.Background()
	store, stop := openExampleStore(ctx)
	defer stop()

	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	err := store.Upsert(ctx, runtime.RuntimeRecord{
		GameID: "chess", Status: runtime.StatusRunning, CurrentContainerID: "c1",
		CreatedAt: start, LastOpAt: start, StartedAt: &start,
	})
	fmt.Println("upsert:", err)

	input := ports.UpdateStatusInput{
		GameID: "chess", ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: "c1",
		To: runtime.StatusStopped, Now: start.Add(time.Minute),
	}
	fmt.Println("stop:", store.UpdateStatus(ctx, input))

	err = store.UpdateStatus(ctx, input)
	conflict, isConflict := errors.AsType[*runtime.ConflictError](err)
	fmt.Println("second stop:", isConflict, conflict.Precondition, conflict.Current.Status)
	// Output:
	// upsert: <nil>
	// stop: <nil>
	// second stop: true status stopped
}

// A watch resumes after the last revision that its consumer has processed, and delivers every
// change since then once.
func ExampleStore_Watch_resume() {
	ctx := context.Background()
	store, stop := openExampleStore(ctx)
	defer stop()

	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	record := runtime.RuntimeRecord{
		GameID: "chess", Status: runtime.StatusRunning, CurrentContainerID: "c1",
		CreatedAt: start, LastOpAt: start, StartedAt: &start,
	}
	fmt.Println("upsert:", store.Upsert(ctx, record))

	var processed int64
	for event, err := range store.Watch(ctx, ports.WatchOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("first watch:", event.Type)
		processed = event.Revision
		if event.Type == ports.EventSynced {
			break
		}
	}

	fmt.Println("stop:", store.UpdateStatus(ctx, ports.UpdateStatusInput{
		GameID: "chess", ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: start.Add(time.Minute),
	}))
	for event, err := range store.Watch(ctx, ports.WatchOptions{FromRevision: processed, Store: store.ID()}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("resumed watch:", event.Type, event.GameID, event.Before.Status, "to", event.After.Status)
		break
	}
	// Output:
	// upsert: <nil>
	// first watch: snapshot
	// first watch: synced
	// stop: <nil>
	// resumed watch: transitioned chess running to stopped
}

// openExampleStore opens a store on an embedded etcd in a temporary directory.
func openExampleStore(ctx context.Context) (store *etcdstore.Store, stop func()) {
	dir, err := os.MkdirTemp("", "etcdstore-example-")
	if err != nil {
		panic(err)
	}
	member, err := embeddedetcd.Start(ctx, embeddedetcd.Config{DataDir: dir, ListenClientURL: "http://127.0.0.1:0"})
	if err != nil {
		panic(err)
	}
	store, err = etcdstore.Open(ctx, member.Client(), etcdstore.Options{})
	if err != nil {
		panic(err)
	}
	return store, func() {
		if err := errors.Join(store.Close(), member.Close(), os.RemoveAll(dir)); err != nil {
			panic(err)
		}
	}
}
