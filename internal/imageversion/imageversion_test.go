package imageversion_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/imageversion"
)

func TestCompatible(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"a:1.2.3", "a:1.2.9", true},
		{"a:v1.2.3", "a:1.2.4", true},
		{"r:5000/x/a:1.2.3", "r:5000/x/a:1.2.4", true},
		{"a:1.2.3@sha256:00", "a:1.2.4", true},
		{"r:5000/a", "r:5000/a", false},
		{"a:1.2.3", "a:1.3.3", false},
		{"a:1", "b:1", false},
		{"", "a:1", false},
	} {
		err := imageversion.CheckCompatible(tt.from, tt.to)
		require.Equal(t, tt.want, err == nil, "%s to %s: %v", tt.from, tt.to, err)
	}
}
