package etag_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/etag"
)

func ExampleParse() {
	condition, err := etag.Parse(`"5", "7"`, "")
	fmt.Println(condition.Holds(7), condition.Holds(8), err)
	_, err = etag.Parse("7", "")
	fmt.Println(err)
	// Output:
	// true false <nil>
	// If-Match "7" is not an ETag of this API: a revision in double quotes, or *
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{`"5"`: true, `W/"5"`: true, `"4", "5"`: true, "*": true, `"6"`: false, "5": false, `"05"`: false} {
		require.Equal(t, want, etag.Matches(header, 5), header)
	}
}
