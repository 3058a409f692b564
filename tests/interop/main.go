// Interop checks a log that bulla exported, with the libraries of the Go checksum database
// and nothing of bulla: golang.org/x/mod/sumdb/note and .../tlog.
//
//	interop DIR VKEY [-record FILE]... [-tree SIZE FILE]...
//
// DIR is the exported directory (c2sp.org/tlog-tiles), VKEY the log's verifying key. Without
// more arguments it opens the checkpoint, reads every hash through tiles that it checks
// against the signed root, hashes every entry to its leaf, and makes and checks inclusion
// proofs of all records and consistency proofs from all kept checkpoints. Each -record is a
// .tlog-proof file that bulla made, each -tree a file of base64 hashes, one a line: a
// consistency proof from SIZE that bulla made.
//
// It ends with status 0 and a summary if all of that holds, and with 1 if any of it fails.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8
	width  = 1 << height
)

// served is a directory of tiles.
type served struct {
	dir      string
	verifier note.Verifier
}

// tilePath maps a tile of the checksum database to its c2sp.org/tlog-tiles path:
// tile/8/0/x001/234 is tile/0/x001/234 there.
func tilePath(t tlog.Tile) string {
	rest := strings.SplitN(t.Path(), "/", 4)
	return fmt.Sprintf("tile/%d/%s", t.L, rest[3])
}

// bundlePath is the path of the entries under a tile of level 0.
func bundlePath(t tlog.Tile) string {
	rest := strings.SplitN(t.Path(), "/", 4)
	return "tile/entries/" + rest[3]
}

func (s served) Height() int { return height }

func (s served) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (s served) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(filepath.Join(s.dir, tilePath(t)))
		if err != nil {
			return nil, err
		}
		if len(data) != t.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tilePath(t), len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

// checkpoint opens a signed checkpoint and gives its tree head.
func (s served) checkpoint(text []byte) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(s.verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != s.verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s: %q", s.verifier.Name(), opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func (s served) checkpointFile(name string) (tlog.Tree, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return tlog.Tree{}, err
	}
	tree, err := s.checkpoint(text)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("%s: %w", name, err)
	}
	return tree, nil
}

// entries reads all entries under a tree head.
func (s served) entries(size int64) ([][]byte, error) {
	var all [][]byte
	for n := int64(0); n*width < size; n++ {
		t := tlog.Tile{H: height, L: 0, N: n, W: width}
		if left := size - n*width; left < width {
			t.W = int(left)
		}
		data, err := os.ReadFile(filepath.Join(s.dir, bundlePath(t)))
		if err != nil {
			return nil, err
		}
		for i := 0; i < t.W; i++ {
			if len(data) < 2 {
				return nil, fmt.Errorf("%s ends before entry %d", bundlePath(t), i)
			}
			length := int(binary.BigEndian.Uint16(data))
			if len(data) < 2+length {
				return nil, fmt.Errorf("%s ends within entry %d", bundlePath(t), i)
			}
			all = append(all, data[2:2+length])
			data = data[2+length:]
		}
		if len(data) != 0 {
			return nil, fmt.Errorf("%s has %d bytes too many", bundlePath(t), len(data))
		}
	}
	return all, nil
}

// leafHash is the hash of a record, read through tiles. The reader of x/mod 0.7.0 compares
// too few of them with their parents, so it counts only once a proof has led from it to the
// signed root.
func leafHash(hashes tlog.HashReader, n int64) (tlog.Hash, error) {
	found, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
	if err != nil {
		return tlog.Hash{}, err
	}
	return found[0], nil
}

// checkRecords hashes all entries, and makes and checks the inclusion proof of each record.
func (s served) checkRecords(tree tlog.Tree, hashes tlog.HashReader) error {
	entries, err := s.entries(tree.N)
	if err != nil {
		return err
	}
	for n, entry := range entries {
		leaf, err := leafHash(hashes, int64(n))
		if err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
		if tlog.RecordHash(entry) != leaf {
			return fmt.Errorf("entry %d does not hash to its leaf", n)
		}
		proof, err := tlog.ProveRecord(tree.N, int64(n), hashes)
		if err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(n), leaf); err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
	}
	return nil
}

// checkKept makes and checks the consistency proof from each kept checkpoint.
func (s served) checkKept(tree tlog.Tree, hashes tlog.HashReader) (int, error) {
	kept, err := os.ReadDir(filepath.Join(s.dir, "checkpoints"))
	if err != nil {
		return 0, err
	}
	for _, file := range kept {
		old, err := s.checkpointFile(filepath.Join("checkpoints", file.Name()))
		if err != nil {
			return 0, err
		}
		if strconv.FormatInt(old.N, 10) != file.Name() {
			return 0, fmt.Errorf("checkpoints/%s is of size %d", file.Name(), old.N)
		}
		proof, err := tlog.ProveTree(tree.N, old.N, hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			return 0, fmt.Errorf("from size %d: %w", old.N, err)
		}
	}
	return len(kept), nil
}

// checkRecordProof checks a c2sp.org/tlog-proof@v1 file that bulla made.
func (s served) checkRecordProof(name string, tree tlog.Tree) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	head, checkpoint, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return err
	}
	covering, err := s.checkpoint([]byte(checkpoint))
	if err != nil {
		return err
	}
	proof, err := parseHashes(lines[1:])
	if err != nil {
		return err
	}
	entries, err := s.entries(tree.N)
	if err != nil {
		return err
	}
	if index >= int64(len(entries)) {
		return fmt.Errorf("record %d is not under the served head", index)
	}
	leaf := tlog.RecordHash(entries[index])
	return tlog.CheckRecord(proof, covering.N, covering.Hash, index, leaf)
}

// checkTreeProof checks a consistency proof that bulla made.
func (s served) checkTreeProof(size, name string, tree tlog.Tree) error {
	old, err := s.checkpointFile(filepath.Join("checkpoints", size))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	proof, err := parseHashes(strings.Fields(string(text)))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range lines {
		bytes, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(bytes) != tlog.HashSize {
			return nil, fmt.Errorf("not a hash: %q", line)
		}
		hashes = append(hashes, *(*tlog.Hash)(bytes))
	}
	return hashes, nil
}

func run(dir, vkey string, arguments []string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	s := served{dir, verifier}
	tree, err := s.checkpointFile("checkpoint")
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, s)
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the tiles lead to root %v, signed is %v", root, tree.Hash)
	}
	if err := s.checkRecords(tree, hashes); err != nil {
		return err
	}
	kept, err := s.checkKept(tree, hashes)
	if err != nil {
		return err
	}
	for len(arguments) > 0 {
		switch {
		case arguments[0] == "-record" && len(arguments) > 1:
			if err := s.checkRecordProof(arguments[1], tree); err != nil {
				return fmt.Errorf("%s: %w", arguments[1], err)
			}
			arguments = arguments[2:]
		case arguments[0] == "-tree" && len(arguments) > 2:
			if err := s.checkTreeProof(arguments[1], arguments[2], tree); err != nil {
				return fmt.Errorf("%s: %w", arguments[2], err)
			}
			arguments = arguments[3:]
		default:
			return fmt.Errorf("unknown argument %q", arguments[0])
		}
	}
	fmt.Printf("ok: %d records, %d kept checkpoints\n", tree.N, kept)
	return nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: interop DIR VKEY [-record FILE]... [-tree SIZE FILE]...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}
