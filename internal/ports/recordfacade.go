package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/runtime"
)

var _ RuntimeRecordStore = RecordFacade{}

// RecordFacade implements RuntimeRecordStore by calls of an adapter's more general methods.
// Adapters embed it.
type RecordFacade struct{ backend RecordBackend }

// RecordBackend is the part of an adapter that RecordFacade calls.
type RecordBackend interface {
	RuntimeWriter
	// GetVersioned implements RuntimeReader.
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
	// ListRecords returns the records with the status, or every record for an empty one, as
	// RuntimeRecordStore.List does.
	ListRecords(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error)
}

// NewRecordFacade returns the facade of an adapter.
func NewRecordFacade(backend RecordBackend) RecordFacade { return RecordFacade{backend: backend} }

// Get implements RuntimeRecordStore.
func (s RecordFacade) Get(ctx context.Context, gameID string) (runtime.RuntimeRecord, error) {
	found, err := s.backend.GetVersioned(ctx, gameID)
	return found.Record, err
}

// Upsert implements RuntimeRecordStore.
func (s RecordFacade) Upsert(ctx context.Context, record runtime.RuntimeRecord) error {
	_, err := s.backend.Put(ctx, PutInput{Record: record})
	return err
}

// UpdateStatus implements RuntimeRecordStore.
func (s RecordFacade) UpdateStatus(ctx context.Context, input UpdateStatusInput) error {
	_, err := s.backend.Transition(ctx, TransitionInput{UpdateStatusInput: input})
	return err
}

// List implements RuntimeRecordStore.
func (s RecordFacade) List(ctx context.Context) ([]runtime.RuntimeRecord, error) {
	return s.backend.ListRecords(ctx, "")
}

// ListByStatus implements RuntimeRecordStore.
func (s RecordFacade) ListByStatus(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error) {
	if _, err := runtime.ParseStatus("status", string(status)); err != nil {
		return nil, err
	}
	return s.backend.ListRecords(ctx, status)
}
