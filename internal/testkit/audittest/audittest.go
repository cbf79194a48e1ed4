// Package audittest reads audit files in tests.
package audittest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/audit"
)

// Read returns the events of an audit file. Every line must be JSON.
func Read(t testing.TB, path string) []audit.Event {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var events []audit.Event
	for line := range strings.Lines(string(text)) {
		var event audit.Event
		require.NoError(t, json.Unmarshal([]byte(line), &event), line)
		events = append(events, event)
	}
	return events
}
