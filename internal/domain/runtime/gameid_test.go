package runtime_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func TestValidateGameIDAccepts(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"a", "a/b", "/", "%2F", "🎲", " a ", "...", ".a", "caf\u00e9", "cafe\u0301", "a\u200db", "\ufffd",
		strings.Repeat("x", 256), strings.Repeat("🎲", 64),
	} {
		require.NoError(t, runtime.ValidateGameID(id), "%q", id)
	}
}

func TestValidateGameIDRejects(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, id, want string }{
		{"empty", "", "game_id is empty; name the game"},
		{"blank", "  \u00a0", `game_id "  \u00a0" is blank; name the game`},
		{"dot", ".", `game_id "." cannot be an id: URLs read it as a path step`},
		{"two dots", "..", `game_id ".." cannot be an id: URLs read it as a path step`},
		{"257 bytes", strings.Repeat("x", 257), `game_id "` + strings.Repeat("x", 32) + `"… has 257 bytes; at most 256 are allowed`},
		{"newline", "a\nb", `game_id "a\nb" contains a control character`},
		{"NUL", "\x00", `game_id "\x00" contains a control character`},
		{"C1 control", "a\u0085", `game_id "a\u0085" contains a control character`},
		{"invalid UTF-8", "a\xff", `game_id "a\xff" is not valid UTF-8`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := runtime.ValidateGameID(tt.id)
			require.ErrorIs(t, err, runtime.ErrInvalid)
			require.EqualError(t, err, tt.want)
		})
	}
}
