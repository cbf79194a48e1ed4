package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/runtime"
)

var _ RuntimeRecordStore = RecordStore{}

// RecordStore implements RuntimeRecordStore by calls of an adapter's more general methods.
// Adapters embed it.
type RecordStore struct{ methods RecordMethods }

// RecordMethods are the methods of an adapter that RecordStore calls.
type RecordMethods interface {
	RuntimeWriter
	// GetVersioned implements RuntimeReader.
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
	// ListRecords returns the records with the status, or every record for an empty one, as
	// RuntimeRecordStore.List does.
	ListRecords(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error)
}

// NewRecordStore returns the RecordStore of the adapter with the methods.
func NewRecordStore(methods RecordMethods) RecordStore { return RecordStore{methods: methods} }

// Get implements RuntimeRecordStore.
func (s RecordStore) Get(ctx context.Context, gameID string) (runtime.RuntimeRecord, error) {
	found, err := s.methods.GetVersioned(ctx, gameID)
	return found.Record, err
}

// Upsert implements RuntimeRecordStore.
func (s RecordStore) Upsert(ctx context.Context, record runtime.RuntimeRecord) error {
	_, err := s.methods.Put(ctx, PutInput{Record: record})
	return err
}

// UpdateStatus implements RuntimeRecordStore.
func (s RecordStore) UpdateStatus(ctx context.Context, input UpdateStatusInput) error {
	_, err := s.methods.Transition(ctx, TransitionInput{UpdateStatusInput: input})
	return err
}

// List implements RuntimeRecordStore.
func (s RecordStore) List(ctx context.Context) ([]runtime.RuntimeRecord, error) {
	return s.methods.ListRecords(ctx, "")
}

// ListByStatus implements RuntimeRecordStore.
func (s RecordStore) ListByStatus(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error) {
	if _, err := runtime.ParseStatus("status", string(status)); err != nil {
		return nil, err
	}
	return s.methods.ListRecords(ctx, status)
}
