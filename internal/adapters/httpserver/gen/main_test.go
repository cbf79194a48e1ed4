package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
)

// The committed document is the one that go generate writes.
func TestCommittedDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "openapi.json")
	require.NoError(t, run(file))
	generated, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, string(generated) == string(api.OpenAPI("0")), "internal/api/openapi.json is stale: run go generate ./internal/adapters/httpserver")
}

// Every code has a status and a title.
func TestEveryCodeHasAStatus(t *testing.T) {
	t.Parallel()
	codes, err := new(enums).of(reflect.TypeFor[api.Code]())
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(codes), 57)
	titles := map[string]string{}
	for _, code := range codes {
		p := problem.New(api.Code(code), "")
		require.GreaterOrEqual(t, p.Status, 400, code)
		require.NotEmpty(t, p.Title, code)
		require.Empty(t, titles[p.Title], "%s has the title of another code", code)
		titles[p.Title] = code
	}
}
