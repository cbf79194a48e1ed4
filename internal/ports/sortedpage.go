package ports

import (
	"slices"
)

// SortedPage selects the records of one page of a sorted list from records in any order. It needs
// memory for two pages, however long the list is. T is how the store holds a record.
//
// A SortedPage is not safe for concurrent use.
type SortedPage[T any] struct {
	compare func(a, b T) int
	after   *T // the last record of the previous page; nil for the first page
	limit   int
	best    []T // at most twice the size of a page
	isFull  bool
	worst   T // the last of the records that may be on the page, if isFull
}

// NewSortedPage returns a page of at most limit records that compare orders and that are after the
// record after, or the first page for nil.
func NewSortedPage[T any](limit int, after *T, compare func(a, b T) int) *SortedPage[T] {
	return &SortedPage[T]{compare: compare, after: after, limit: limit}
}

// Add adds a record of the list.
func (p *SortedPage[T]) Add(record T) {
	if p.after != nil && p.compare(record, *p.after) <= 0 || p.isFull && p.compare(record, p.worst) > 0 {
		return
	}
	p.best = append(p.best, record)
	if len(p.best) >= 2*(p.limit+1) {
		p.trim()
	}
}

// trim drops the records that are behind the page and the record after it.
func (p *SortedPage[T]) trim() {
	slices.SortFunc(p.best, p.compare)
	if keep := p.limit + 1; len(p.best) >= keep {
		clear(p.best[keep:])
		p.best = p.best[:keep]
		p.isFull, p.worst = true, p.best[keep-1]
	}
}

// Records returns the records of the page in order, and whether another page follows.
func (p *SortedPage[T]) Records() (records []T, hasNext bool) {
	p.trim()
	if len(p.best) > p.limit {
		return p.best[:p.limit], true
	}
	return p.best, false
}
