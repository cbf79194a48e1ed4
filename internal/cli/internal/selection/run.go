package selection

import (
	"context"
	"sync"
)

// Result is the result of a function for one game.
type Result[T any] struct {
	GameID string
	Value  T
	Err    error
}

// Run calls do for each game, for at most parallel games at a time and in their order, and calls
// report for each result, one call at a time and in the order of completion. After ctx has ended
// it starts no further game. It returns when all calls have returned, with the number of games
// that it has not started.
func Run[T any](ctx context.Context, games []string, parallel int, do func(ctx context.Context, gameID string) (T, error), report func(Result[T])) (notStarted int) {
	results := make(chan Result[T])
	next := make(chan string)
	var workers sync.WaitGroup
	for range min(parallel, len(games)) {
		workers.Go(func() {
			for gameID := range next {
				value, err := do(ctx, gameID)
				results <- Result[T]{GameID: gameID, Value: value, Err: err}
			}
		})
	}
	go func() {
		defer close(results)
		notStarted = sendGames(ctx, games, next)
		workers.Wait()
	}()
	for result := range results {
		report(result)
	}
	return notStarted
}

// sendGames sends the games until ctx ends, closes the channel, and returns how many it has not
// sent.
func sendGames(ctx context.Context, games []string, next chan<- string) int {
	defer close(next)
	for i, gameID := range games {
		if ctx.Err() != nil {
			return len(games) - i
		}
		select {
		case next <- gameID:
		case <-ctx.Done():
			return len(games) - i
		}
	}
	return 0
}
