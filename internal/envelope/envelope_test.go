package envelope_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/envelope"
)

var at = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func newKeyring(t *testing.T, text string) *envelope.Keyring {
	t.Helper()
	keyring, err := envelope.ParseKeyring([]byte(text))
	require.NoError(t, err)
	return keyring
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	keyring := newKeyring(t, envelope.GenerateKey(at))
	binding := envelope.Binding{StoreID: "s", Name: "db", Version: 1}
	sealed, err := keyring.Seal(binding, []byte("text"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed.Ciphertext), "text")
	text, err := keyring.Open(binding, sealed)
	require.NoError(t, err)
	require.Equal(t, "text", string(text))

	second, err := keyring.Seal(binding, []byte("text"))
	require.NoError(t, err)
	require.NotEqual(t, sealed.Ciphertext, second.Ciphertext, "each write has its own data key and nonce")
}

func TestACiphertextIsBoundToItsSecret(t *testing.T) {
	t.Parallel()
	keyring := newKeyring(t, envelope.GenerateKey(at))
	binding := envelope.Binding{StoreID: "s", Name: "db", Version: 1}
	sealed, err := keyring.Seal(binding, []byte("text"))
	require.NoError(t, err)
	for name, other := range map[string]envelope.Binding{
		"store":    {StoreID: "t", Name: "db", Version: 1},
		"name":     {StoreID: "s", Name: "db2", Version: 1},
		"version":  {StoreID: "s", Name: "db", Version: 2},
		"games":    {StoreID: "s", Name: "db", Version: 1, Games: []string{"*"}},
		"boundary": {StoreID: "sd", Name: "b", Version: 1},
	} {
		_, err := keyring.Open(other, sealed)
		require.ErrorIs(t, err, secret.ErrUnreadable, name)
		_, err = keyring.Rewrap(other, sealed)
		require.ErrorIs(t, err, secret.ErrUnreadable, name)
	}
}

func TestATamperedCiphertextIsRejected(t *testing.T) {
	t.Parallel()
	keyring := newKeyring(t, envelope.GenerateKey(at))
	binding := envelope.Binding{StoreID: "s", Name: "db", Version: 1}
	sealed, err := keyring.Seal(binding, []byte("text"))
	require.NoError(t, err)
	other, err := keyring.Seal(binding, []byte("other"))
	require.NoError(t, err)
	flip := func(data []byte, i int) []byte {
		data = bytes.Clone(data)
		data[i] ^= 1
		return data
	}
	for i := range sealed.Ciphertext {
		_, err := keyring.Open(binding, envelope.Sealed{KeyID: sealed.KeyID, WrappedKey: sealed.WrappedKey, Ciphertext: flip(sealed.Ciphertext, i)})
		require.ErrorIs(t, err, secret.ErrUnreadable)
	}
	for i := range sealed.WrappedKey {
		_, err := keyring.Open(binding, envelope.Sealed{KeyID: sealed.KeyID, WrappedKey: flip(sealed.WrappedKey, i), Ciphertext: sealed.Ciphertext})
		require.ErrorIs(t, err, secret.ErrUnreadable)
	}
	for name, mixed := range map[string]envelope.Sealed{
		"data key of another write": {KeyID: sealed.KeyID, WrappedKey: other.WrappedKey, Ciphertext: sealed.Ciphertext},
		"key as values":             {KeyID: sealed.KeyID, WrappedKey: sealed.WrappedKey, Ciphertext: sealed.WrappedKey},
		"empty":                     {KeyID: sealed.KeyID},
		"short":                     {KeyID: sealed.KeyID, WrappedKey: []byte("x"), Ciphertext: []byte("y")},
	} {
		_, err := keyring.Open(binding, mixed)
		require.ErrorIs(t, err, secret.ErrUnreadable, name)
	}
}

func TestRewrapKeepsTheCiphertext(t *testing.T) {
	t.Parallel()
	oldKey, newKey := envelope.GenerateKey(at), envelope.GenerateKey(at)
	before, both, after := newKeyring(t, oldKey), newKeyring(t, newKey+oldKey), newKeyring(t, newKey)
	binding := envelope.Binding{StoreID: "s", Name: "db", Version: 1}
	sealed, err := before.Seal(binding, []byte("text"))
	require.NoError(t, err)

	_, err = after.Open(binding, sealed)
	unknown := (*envelope.UnknownKeyError)(nil)
	require.ErrorAs(t, err, &unknown)
	require.ErrorIs(t, err, secret.ErrUnreadable)

	rewrapped, err := both.Rewrap(binding, sealed)
	require.NoError(t, err)
	require.Equal(t, sealed.Ciphertext, rewrapped.Ciphertext)
	text, err := after.Open(binding, rewrapped)
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
	_, err = before.Open(binding, rewrapped)
	require.ErrorAs(t, err, &unknown)
}

func TestAnotherKeyOfTheSameIDIsRejected(t *testing.T) {
	t.Parallel()
	key := func(fill byte) string {
		return "k1 " + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32)) + "\n"
	}
	binding := envelope.Binding{StoreID: "s", Name: "db", Version: 1}
	sealed, err := newKeyring(t, key(1)).Seal(binding, []byte("text"))
	require.NoError(t, err)
	_, err = newKeyring(t, key(2)).Open(binding, sealed)
	require.ErrorIs(t, err, secret.ErrUnreadable)
	require.ErrorContains(t, err, "another key has this id")
}

func TestParseKeyring(t *testing.T) {
	t.Parallel()
	material := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for name, tt := range map[string]struct{ text, want string }{
		"empty":         {"", "there is no key"},
		"comments only": {"# a\n\n", "there is no key"},
		"no id":         {material, "line 1 of the keys is not a key"},
		"three words":   {"# a\nk1 " + material + " " + material, "line 2 of the keys is not a key"},
		"bad id":        {"k/1 " + material, "line 1 of the keys is not a key"},
		"key as id":     {material[:43] + " k1", "line 1 of the keys is not a key"},
		"not base64":    {"k1 " + material[1:], "has the id k1 and no key"},
		"16 bytes":      {"k1 " + base64.StdEncoding.EncodeToString(make([]byte, 16)), "has the id k1 and no key"},
		"zeros":         {"k1 " + base64.StdEncoding.EncodeToString(make([]byte, 32)), "a key of zeros"},
		"same id":       {"k1 " + material + "\nk1 " + material, "line 2 of the keys has the id k1 of an earlier line"},
		"too many":      {manyKeys(101), "maximum of 100 keys"},
		"too long":      {strings.Repeat("#", envelope.MaxKeyringBytes+1), "more than 65536 bytes"},
		"binary":        {"\x00\xff\xfe", "line 1 of the keys is not a key"},
	} {
		_, err := envelope.ParseKeyring([]byte(tt.text))
		require.ErrorContains(t, err, tt.want, name)
		require.NotContains(t, err.Error(), material[:8], name)
	}
	keyring := newKeyring(t, "# keys\r\n  k2\t"+material+"  \r\n#\nk1 "+material)
	require.Equal(t, "k2", keyring.NewestID())
	require.True(t, keyring.Has("k1"))
	require.False(t, keyring.Has("k3"))
}

func manyKeys(count int) string {
	var b strings.Builder
	for i := range count {
		key := envelope.GenerateKey(at)
		b.WriteString(fmt.Sprintf("k%d", i) + key[strings.IndexByte(key, ' '):])
	}
	return b.String()
}

func TestGenerateKeyReturnsDifferentKeys(t *testing.T) {
	t.Parallel()
	first, second := envelope.GenerateKey(at), envelope.GenerateKey(at)
	require.NotEqual(t, first, second)
	require.Regexp(t, `^k20260301-[0-9a-f]{6} [A-Za-z0-9+/]{43}=\n$`, first)
}

func FuzzParseKeyring(f *testing.F) {
	f.Add([]byte(envelope.GenerateKey(at)))
	f.Add([]byte("# comment\nk1 AAAA\n"))
	f.Add([]byte("k1\x00 \xff"))
	f.Add([]byte("0000000000000000000000000000000000000000000 0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keyring, err := envelope.ParseKeyring(text)
		if err != nil {
			for word := range bytes.FieldsSeq(text) {
				if len(word) >= 43 { // the length of a key
					require.NotContains(t, err.Error(), string(word))
				}
			}
			return
		}
		require.True(t, keyring.Has(keyring.NewestID()))
		binding := envelope.Binding{Name: "fuzz"}
		sealed, err := keyring.Seal(binding, text)
		require.NoError(t, err)
		opened, err := keyring.Open(binding, sealed)
		require.NoError(t, err)
		require.Equal(t, string(text), string(opened))
	})
}
