package manifest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// extensions are those of the files of a directory that are read.
var extensions = []string{".json", ".yaml", ".yml"}

// ReadGames reads the games of all sources: files, directories whose files *.yaml, *.yml and *.json
// are read, and - for stdin. Each game is valid, and occurs once.
func ReadGames(sources []string, stdin io.Reader) ([]Game, error) {
	var games []Game
	sourceOf := map[string]string{}
	for _, source := range sources {
		files, err := filesOf(source)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			found, err := readFile(file, stdin)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sourceName(file), err)
			}
			for i, game := range found {
				if err := game.Validate(); err != nil {
					return nil, fmt.Errorf("%s: game %d (%.64q): %w", sourceName(file), i+1, game.GameID, err)
				}
				if other, isRepeated := sourceOf[game.GameID]; isRepeated {
					return nil, fmt.Errorf("%s: game %.64q occurs twice, first in %s", sourceName(file), game.GameID, other)
				}
				sourceOf[game.GameID] = sourceName(file)
			}
			games = append(games, found...)
		}
	}
	return games, nil
}

func readFile(file string, stdin io.Reader) ([]Game, error) {
	if file == "-" {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return nil, err
		}
		return Games(text)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Games(text)
}

// filesOf returns the files of a directory, sorted, and any other source itself.
func filesOf(source string) ([]string, error) {
	info, err := os.Stat(source)
	if source == "-" || err == nil && !info.IsDir() {
		return []string{source}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; -f requires a file or directory with games, or - for standard input", err)
	}
	entries, err := os.ReadDir(source)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries { // sorted by name
		if !entry.IsDir() && slices.Contains(extensions, filepath.Ext(entry.Name())) {
			files = append(files, filepath.Join(source, entry.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: the directory has no file *.yaml, *.yml or *.json", source)
	}
	return files, nil
}

func sourceName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}
