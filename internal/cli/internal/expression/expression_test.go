package expression_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/expression"
)

type game struct {
	GameID   string            `json:"game_id"`
	Node     string            `json:"node,omitempty"`
	Revision int64             `json:"revision"`
	Labels   map[string]string `json:"labels,omitempty"`
}

type list struct {
	Items []game `json:"items"`
}

var (
	first  = game{GameID: "chess-17", Node: "eu-1", Revision: 1 << 60, Labels: map[string]string{"env": "prod"}}
	second = game{GameID: "a b", Revision: 7}
	games  = list{Items: []game{first, second}}
)

func TestEncode(t *testing.T) {
	t.Parallel()
	type node struct {
		Region string `json:"region"`
		Name   string `json:"name"`
	}
	type operation struct {
		ID     string `json:"id"`
		GameID string `json:"game_id"`
	}
	for _, c := range []struct {
		format string
		value  any
		want   string
	}{
		{"name", games, "chess-17\na b\n"},
		{"name", first, "chess-17\n"},
		{"name", list{Items: []game{}}, ""},
		{"name", node{"eu", "eu-1"}, "eu/eu-1\n"},
		{"name", node{"", "db"}, "db\n"},
		{"name", operation{"op_1", "chess-17"}, "op_1\n"},
		{"jsonpath={.items[*].game_id}", games, "chess-17 a b\n"},
		{"jsonpath=.revision", first, "1152921504606846976\n"},
		{"jsonpath=game_id", first, "chess-17\n"},
		{`jsonpath={range .items[?(@.revision<10)]}{.game_id}={.revision}{"\n"}{end}`, games, "a b=7\n"},
		{"jsonpath={.missing}", first, ""},
		{"go-template={{.game_id}} at {{.revision}}", first, "chess-17 at 1152921504606846976\n"},
		{"go-template={{json .labels}}", first, "{\"env\":\"prod\"}\n"},
		{"custom-columns=GAME:.game_id,ENV:.labels.env", games, "GAME      ENV\nchess-17  prod\n\"a b\"     <none>\n"},
	} {
		t.Run(c.format, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.NoError(t, expression.NewEncoder(c.format, &out, expression.Options{}).Encode(c.value))
			require.Equal(t, c.want, out.String())
		})
	}
}

// A stream of values has one header, and a terminal is not controlled by values.
func TestEncodeSeveralValues(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	encoder := expression.NewEncoder("custom-columns=GAME:.game_id", &out, expression.Options{})
	require.NoError(t, encoder.Encode(first))
	require.NoError(t, encoder.Encode(first))
	require.Equal(t, "GAME\nchess-17\nchess-17\n", out.String())

	out.Reset()
	require.NoError(t, expression.NewEncoder("name", &out, expression.Options{IsTerminal: true}).Encode(game{GameID: "\x1b[31m"}))
	require.NotContains(t, out.String(), "\x1b")
}

func TestErrorsNameTheExpression(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"jsonpath={.items[}":      "jsonpath={.items[} is invalid: unterminated array",
		"jsonpath":                "jsonpath has no expression; use jsonpath='{.items[*].game_id}'",
		"go-template={{.a":        "go-template={{.a is invalid: ",
		"custom-columns=GAME":     `column "GAME" is not HEADER:PATH`,
		"custom-columns=GAME:.a[": "column GAME: ",
	} {
		_, err := expression.Parse(format)
		require.ErrorContains(t, err, want, format)
		require.ErrorContains(t, expression.NewEncoder(format, &bytes.Buffer{}, expression.Options{}).Encode(first), want)
	}
	err := expression.NewEncoder("name", &bytes.Buffer{}, expression.Options{}).Encode(struct{}{})
	require.ErrorContains(t, err, "output name: the result has no names")
	err = expression.NewEncoder("jsonpath={.game_id[0]}", &bytes.Buffer{}, expression.Options{}).Encode(first)
	require.ErrorContains(t, err, "output jsonpath={.game_id[0]}: ")
	parsed, err := expression.Parse("names")
	require.NoError(t, err)
	require.Nil(t, parsed)
}
