package auditlog

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/audit"
)

// FuzzEncode checks that texts of clients make exactly one printable line, which a reader
// decodes to the same texts.
func FuzzEncode(f *testing.F) {
	f.Add("user:ada", "game", "reason", int64(0))
	f.Add("a\nb\r\n{\"actor\":\"root\"}", "\x00\x1b[2J\x7f\u009b", "\u2028\u202e\U000e0001", int64(-1))
	f.Add("\xff\xfe", strings.Repeat("ж", 300), `\u000a\"`, int64(1)<<60)
	f.Fuzz(func(t *testing.T, actor, game, reason string, unix int64) {
		event := audit.Event{Time: time.Unix(unix, 0), Actor: actor, GameID: game, Reason: reason, Groups: []string{actor}}
		line := encode(event)
		require.Equal(t, len(line)-1, bytes.IndexByte(line, '\n'), "one line")
		for _, char := range strings.TrimSuffix(string(line), "\n") {
			require.True(t, strconv.IsPrint(char), "%q", char)
		}
		var decoded audit.Event
		require.NoError(t, json.Unmarshal(line, &decoded), "%s", line)
		clipped := event.Clipped()
		require.Equal(t, []string{clipped.Actor, clipped.GameID, clipped.Reason}, []string{decoded.Actor, decoded.GameID, decoded.Reason})
		require.True(t, utf8.Valid(line))
	})
}

// Check fails while a batch takes too long, as on a network file system that hangs.
func TestStalledDiskFailsCheck(t *testing.T) {
	t.Parallel()
	f := &File{commitStartedAt: time.Now().Add(-stallTimeout / 2)}
	require.NoError(t, f.Check())
	f.commitStartedAt = time.Now().Add(-2 * stallTimeout)
	require.ErrorIs(t, f.Check(), audit.ErrUnavailable)
	f.retry() // leaves the disk alone
	require.Nil(t, f.pending)
}
