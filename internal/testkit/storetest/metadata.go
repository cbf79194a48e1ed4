package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func metadataTests() []contractTest {
	return []contractTest{
		{name: "the metadata of a record is kept member by member", test: testMetadataKept},
		{name: "a transition keeps the metadata", test: testMetadataTransition},
		{name: "metadata without members is absent", test: testMetadataEmpty},
		{name: "too much metadata is ErrInvalid", test: testMetadataTooLarge},
		{name: "metadata with null is ErrInvalid", test: testMetadataNull},
	}
}

// withMetadata returns a record of a running game with the metadata.
func withMetadata(text string) runtime.RuntimeRecord {
	record := RunningRecord("a")
	record.Metadata = runtime.Metadata(text)
	return record
}

func testMetadataKept(t *testing.T, _ Harness, s Store) {
	requireRoundTrip(t, s, withMetadata(`{"big":12345678901234567890,"list":[1.50,"<&>\u2028",{}],"nested":{"a":true}}`))
	requireRoundTrip(t, s, withMetadata(`{"text":"`+strings.Repeat("x", runtime.MaxMetadataBytes-11)+`"}`))
	requireRoundTrip(t, s, RunningRecord("a"))
}

func testMetadataTransition(t *testing.T, _ Harness, s Store) {
	record := withMetadata(`{"seed":17}`)
	putRecord(t, s, record)
	stopped := applyTransition(t, s, stopInput("a", 5))
	require.Equal(t, record.Metadata, stopped.Record.Metadata)
	page, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, record.Metadata, page.Records[0].Record.Metadata)
}

func testMetadataEmpty(t *testing.T, _ Harness, s Store) {
	require.Empty(t, putRecord(t, s, withMetadata("{}")).Record.Metadata)
}

func testMetadataTooLarge(t *testing.T, _ Harness, s Store) {
	err := s.Upsert(t.Context(), withMetadata(`{"text":"`+strings.Repeat("x", runtime.MaxMetadataBytes)+`"}`))
	RequireInvalid(t, err, "metadata")
}

func testMetadataNull(t *testing.T, _ Harness, s Store) {
	RequireInvalid(t, s.Upsert(t.Context(), withMetadata(`{"a":null}`)), "metadata")
}
