package placement_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// sharingStore shares its records, and fails lists that copy them. It records the minimum revisions of its snapshots.
type sharingStore struct {
	*memstore.Store
	minRevisions []int64
}

func (s *sharingStore) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	return ports.Page{}, errors.New("the records were copied")
}

func (s *sharingStore) ReadSnapshot(ctx context.Context, query ports.PageQuery) (ports.RecordSnapshot, error) {
	s.minRevisions = append(s.minRevisions, query.MinRevision)
	return s.Store.ReadSnapshot(ctx, query)
}

// reservationsAt are the reservations of no node at a revision.
type reservationsAt int64

func (r reservationsAt) Reservations(context.Context, string, string) ([]node.Reservations, int64, error) {
	return nil, int64(r), nil
}

func (reservationsAt) ReservationsLocal(node.Ref) (node.Reservations, bool) {
	return node.Reservations{}, false
}

func (reservationsAt) PutReservations(context.Context, []node.Reservations) error { return nil }

// The scheduler copies no records, and reads them at the revision of the reservations or later.
func TestSchedulerSharesRecords(t *testing.T) {
	t.Parallel()
	store := &sharingStore{Store: memstore.New()}
	putGames(t, store.Store, "x", 2, runtime.StatusRunning)
	putGames(t, store.Store, "y", 1, runtime.StatusRunning)
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store, Reservations: reservationsAt(3)})
	require.Equal(t, "a/y", mustSelect(t, scheduler, requestFor("g")).Selected.String())
	require.NotEmpty(t, store.minRevisions)
	for _, revision := range store.minRevisions {
		require.EqualValues(t, 3, revision)
	}
}
