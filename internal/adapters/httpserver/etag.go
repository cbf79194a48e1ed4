package httpserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/api"
)

// etag is a record's revision as a strong entity tag.
func etag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// precondition is what If-Match and If-None-Match ask of the present record.
type precondition struct {
	none      bool    // there must be no record
	any       bool    // there must be one
	revisions []int64 // it must be at one of these
}

func (c precondition) empty() bool { return !c.none && !c.any && len(c.revisions) == 0 }

// exact returns the one revision that is asked for, if it is one; 0 is none.
func (c precondition) exact() (int64, bool) {
	switch {
	case c.none:
		return 0, true
	case !c.any && len(c.revisions) == 1:
		return c.revisions[0], true
	}
	return 0, false
}

func (c precondition) holds(revision int64) bool {
	return c.any || slices.Contains(c.revisions, revision)
}

// parsePrecondition reads the two headers of a write.
func parsePrecondition(ifMatch, ifNoneMatch string) (precondition, *api.Problem) {
	switch {
	case ifMatch != "" && ifNoneMatch != "":
		return precondition{}, badRequest("header.If-Match", "and If-None-Match together ask for nothing; send one of them")
	case ifNoneMatch == "*":
		return precondition{none: true}, nil
	case ifNoneMatch != "":
		return precondition{}, badRequest("header.If-None-Match", "can only be * on a write, which asks that there be no record")
	case ifMatch == "*":
		return precondition{any: true}, nil
	case ifMatch == "":
		return precondition{}, nil
	}
	var c precondition
	for tag := range strings.SplitSeq(ifMatch, ",") {
		revision, err := parseETag(strings.TrimSpace(tag))
		if err != nil {
			return precondition{}, badRequest("header.If-Match", "%v", err)
		}
		c.revisions = append(c.revisions, revision)
	}
	return c, nil
}

func parseETag(tag string) (int64, error) {
	digits, ok := strings.CutPrefix(tag, `"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	revision, err := strconv.ParseInt(digits, 10, 64)
	if !ok || !closed || err != nil || revision <= 0 || etag(revision) != tag {
		return 0, fmt.Errorf("%q is not an ETag of this API: a revision in double quotes, or *", clip(tag))
	}
	return revision, nil
}

// matchesTag reports whether an If-None-Match of a read names the record as it
// stands, by the weak comparison that reads use. What is not a tag of ours
// matches nothing.
func matchesTag(ifNoneMatch string, revision int64) bool {
	for tag := range strings.SplitSeq(ifNoneMatch, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || tag == etag(revision) {
			return true
		}
	}
	return false
}
