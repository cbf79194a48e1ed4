package api_test

import (
	"net/http"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHeaderText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":             "",
		"ops":          "ops",
		"100% O'Neil":  "100% O'Neil",
		"Jörg":         "UTF-8''J%C3%B6rg",
		" a":           "UTF-8''%20a",
		"a\nb":         "UTF-8''a%0Ab",
		"UTF-8''x":     "UTF-8''UTF-8%27%27x",
		"utf-8'de'x":   "UTF-8''utf-8%27de%27x",
		"UTF-8 is not": "UTF-8 is not",
	} {
		require.Equal(t, want, api.EncodeHeaderText(text), "encode %q", text)
		decoded, ok := api.DecodeHeaderText(want)
		require.True(t, ok, "decode %q", want)
		require.Equal(t, text, decoded, "decode %q", want)
	}
	for value, want := range map[string]string{
		"UTF-8'en'%e2%82%ac": "€", "utf-8'de-AT'J%C3%B6rg": "Jörg", "UTF-8'no end": "UTF-8'no end", "UTF-8'not a tag'x": "UTF-8'not a tag'x", "ISO-8859-1''J%F6rg": "ISO-8859-1''J%F6rg",
	} {
		text, ok := api.DecodeHeaderText(value)
		require.True(t, ok, value)
		require.Equal(t, want, text, value)
	}
	for _, value := range []string{"UTF-8''%", "UTF-8''%4", "UTF-8''%zz", "UTF-8''%FF", "UTF-8'de'%C3", "\xff", "J\xf6rg"} {
		_, ok := api.DecodeHeaderText(value)
		require.False(t, ok, "%q must be rejected", value)
	}
}

// Any text makes a valid header value, and is decoded unchanged.
func FuzzHeaderText(f *testing.F) {
	for _, seed := range []string{"", " ", "ops", "Jörg", "UTF-8''", "UTF-8'de'%", "utf-8''%FF", "a\r\nb", "\x00", "\xff", "%", "\u00a0x\u00a0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value := api.EncodeHeaderText(text)
		header := http.Header{}
		header.Set("X", value)
		for i := range len(value) {
			require.True(t, value[i] >= ' ' && value[i] < 0x7f, "%q became %q", text, value)
		}
		back, ok := api.DecodeHeaderText(value)
		require.Equal(t, utf8.ValidString(text), ok, "%q became %q", text, value)
		if ok {
			require.Equal(t, text, back)
		}
		if meant, ok := api.DecodeHeaderText(text); ok {
			decoded, ok := api.DecodeHeaderText(api.EncodeHeaderText(meant))
			require.True(t, ok)
			require.Equal(t, meant, decoded)
		}
	})
}
