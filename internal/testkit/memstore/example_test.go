package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// A write with a stale precondition returns the current record.
func ExampleNew() {
	ctx := context.Background()
	store := memstore.New()
	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

	err := store.Upsert(ctx, runtime.RuntimeRecord{
		GameID: "chess", Status: runtime.StatusRunning, CurrentContainerID: "c1",
		CreatedAt: start, LastOpAt: start, StartedAt: &start,
	})
	fmt.Println("upsert:", err)

	stop := ports.UpdateStatusInput{
		GameID: "chess", ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: "c1",
		To: runtime.StatusStopped, Now: start.Add(time.Minute),
	}
	fmt.Println("stop:", store.UpdateStatus(ctx, stop))

	err = store.UpdateStatus(ctx, stop)
	var conflict *runtime.ConflictError
	fmt.Println("second stop:", errors.As(err, &conflict), conflict.Current.Status)
	// Output:
	// upsert: <nil>
	// stop: <nil>
	// second stop: true stopped
}

// A consumer stores the revision of the last event with Last set, and resumes from it.
func ExampleStore_Watch_resume() {
	ctx := context.Background()
	store := memstore.New()
	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	record := runtime.RuntimeRecord{
		GameID: "chess", Status: runtime.StatusRunning, CurrentContainerID: "c1",
		CreatedAt: start, LastOpAt: start, StartedAt: &start,
	}
	if err := store.Upsert(ctx, record); err != nil {
		fmt.Println(err)
	}

	var resume int64
	for event, err := range store.Watch(ctx, ports.WatchOptions{}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%s %q\n", event.Type, event.GameID)
		if event.Last {
			resume = event.Revision
			break // the consumer stops after the snapshot
		}
	}

	if err := store.UpdateStatus(ctx, ports.UpdateStatusInput{
		GameID: "chess", ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: start.Add(time.Minute),
	}); err != nil {
		fmt.Println(err)
	}
	for event, err := range store.Watch(ctx, ports.WatchOptions{FromRevision: resume, Resync: true}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(event.Type, event.GameID, event.Before.Status, event.After.Status)
		break
	}
	// Output:
	// snapshot "chess"
	// synced ""
	// transitioned chess running stopped
}
