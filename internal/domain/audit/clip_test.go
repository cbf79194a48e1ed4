package audit_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/audit"
)

// Every text of an event is bounded; a new field that Clipped omits fails here.
func TestClippedBoundsEveryText(t *testing.T) {
	t.Parallel()
	var event audit.Event
	long := strings.Repeat("ж", 4096) + "\xff"
	fields := reflect.ValueOf(&event).Elem()
	for i := range fields.NumField() {
		switch field := fields.Field(i); field.Interface().(type) {
		case audit.Outcome, audit.Stage: // constants of this program
		case string:
			field.SetString(long)
		case []string:
			groups := make([]string, 1000)
			for j := range groups {
				groups[j] = long
			}
			field.Set(reflect.ValueOf(groups))
		}
	}
	clipped := reflect.ValueOf(event.Clipped())
	requireClipped := func(name, text string) {
		require.LessOrEqual(t, len(text), audit.MaxReasonBytes, name)
		require.True(t, utf8.ValidString(text), name)
		require.True(t, strings.HasSuffix(text, "…"), name)
	}
	for i := range clipped.NumField() {
		name := clipped.Type().Field(i).Name
		switch value := clipped.Field(i).Interface().(type) {
		case string:
			requireClipped(name, value)
		case []string:
			require.Len(t, value, audit.MaxGroups)
			requireClipped(name, value[0])
		}
	}
	require.Len(t, event.Groups, 1000, "the event itself is unchanged")
}

func TestClippedKeepsShortTexts(t *testing.T) {
	t.Parallel()
	event := audit.Event{Actor: "user:anna", GameID: strings.Repeat("g", audit.MaxTextBytes), Groups: []string{"group:ops"}}
	require.Equal(t, event, event.Clipped())
}
