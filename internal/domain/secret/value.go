package secret

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Limits of the values of one secret.
const (
	// MaxBytes is the size of all names and values together.
	MaxBytes = 64 << 10
	// MaxKeys is the number of values.
	MaxKeys     = 256
	maxKeyBytes = 256
)

// redacted replaces every value that is printed or encoded.
const redacted = "[redacted]"

// Value is one secret text. Printing, logging and encoding it yield "[redacted]"; only Reveal
// returns the text. The text is behind a pointer, so that package fmt cannot reach it through
// an unexported field of another struct. The zero Value is empty text.
type Value struct{ text *string }

// NewValue returns the value with the text.
func NewValue(text string) Value { return Value{text: &text} }

// Reveal returns the text.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// String implements fmt.Stringer.
func (Value) String() string { return redacted }

// Format implements fmt.Formatter for every verb.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements json.Marshaler.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue implements slog.LogValuer.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// Values are the values of a secret by key. A key is the name of an environment variable.
type Values map[string]Value

// NewValues returns the values with the texts.
func NewValues(texts map[string]string) Values {
	values := make(Values, len(texts))
	for key, text := range texts {
		values[key] = NewValue(text)
	}
	return values
}

// Reveal returns the texts by key.
func (v Values) Reveal() map[string]string {
	texts := make(map[string]string, len(v))
	for key, value := range v {
		texts[key] = value.Reveal()
	}
	return texts
}

// Keys returns the keys in order.
func (v Values) Keys() []string { return slices.Sorted(maps.Keys(v)) }

var keyPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// IsValidKey reports whether the text can be a key.
func IsValidKey(key string) bool { return len(key) <= maxKeyBytes && keyPattern.MatchString(key) }

// Validate returns nil if the values can be stored, and otherwise a *runtime.InvalidError on
// "values". It names keys, and never a value.
func (v Values) Validate() error {
	invalid := func(format string, args ...any) error {
		return &runtime.InvalidError{Field: "values", Reason: fmt.Sprintf(format, args...)}
	}
	if len(v) == 0 || len(v) > MaxKeys {
		return invalid("are %d; a secret has 1 to %d", len(v), MaxKeys)
	}
	size := 0
	for _, key := range v.Keys() {
		text := v[key].Reveal()
		size += len(key) + len(text)
		if !IsValidKey(key) {
			return invalid("contain the key %.64q, which is not the name of an environment variable; use letters, digits and _, and no digit first", key)
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return invalid("contain a value of %s that is not UTF-8 text without NUL; encode it, for example as base64", key)
		}
	}
	if size > MaxBytes {
		return invalid("and their keys have %d bytes; at most %d are allowed", size, MaxBytes)
	}
	return nil
}
