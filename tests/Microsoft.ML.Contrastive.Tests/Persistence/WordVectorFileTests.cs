using System.Text;

namespace Microsoft.ML.Contrastive.Tests;

public sealed class WordVectorFileTests
{
    [Theory]
    [InlineData("the 1 -2.5\ndog 3e-1 4\n")]
    [InlineData("2 2\nthe 1 -2.5\ndog 3e-1 4\n")]
    [InlineData("2 2\r\nthe 1 -2.5 \r\ndog  3e-1  4")]
    public void Both_text_formats_are_read(string text)
    {
        WordVectors read = Read(text);
        Assert.Equal(["the", "dog"], read.Words);
        Assert.Equal([1, -2.5f, 0.3f, 4], read.Values.ToArray());
        Assert.Equal(2, read.Size);
    }

    [Fact]
    public void Words_with_blanks_are_whole_and_only_the_first_of_equals_is_kept()
    {
        WordVectors read = Read("a 1 2\n. . . 3 4\na 5 6\nname 10 7 8\n");
        Assert.Equal(["a", ". . .", "name 10"], read.Words);
        Assert.Equal([1, 2, 3, 4, 7, 8], read.Values.ToArray());
    }

    [Fact]
    public void Only_what_is_asked_for_is_kept()
    {
        const string Text = "4 1\na 1\nb 2\nc 3\nd 4\n";
        WordVectors some = Read(Text, new HashSet<string> { "b", "d", "z" });
        Assert.Equal(["b", "d"], some.Words);
        Assert.Equal([2, 4], some.Values.ToArray());
        Assert.Equal(["a", "b"], Read(Text, null, 2).Words);
    }

    [Fact]
    public void A_file_longer_than_the_buffer_is_read_in_one_piece()
    {
        string[] words = [.. Enumerable.Range(0, 30_000).Select(i => $"word{i}")];
        WordVectors read = Read(string.Concat(words.Select((word, i) => $"{word} {i} {-i}\n")));
        Assert.Equal(words, read.Words);
        Assert.Equal(-29_999, read.Values.Span[^1]);
    }

    [Theory]
    [InlineData("", "no word vectors")]
    [InlineData("a\n", "line 1")]
    [InlineData("a,1,2\n", "separated by blanks")]
    [InlineData("a 1 2\nb 1\n", "line 2")]
    [InlineData("a 1 2\nb 1 x\n", "line 2")]
    [InlineData("a 1 NaN\n", "line 1")]
    [InlineData("a 1 Infinity\n", "line 1")]
    [InlineData("3 2\na 1 2\nb 3 4\n", "says 3 words")]
    [InlineData("3 0\na\n", "line 1")]
    [InlineData("1 99999999\na 1\n", "line 1")]
    public void A_line_that_is_no_vector_is_named(string text, string message)
    {
        string error = Assert.Throws<InvalidDataException>(() => Read(text)).Message;
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Contains("vectors.txt", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_lines_is_given_up_early()
        => Assert.Contains("262144 bytes", Assert.Throws<InvalidDataException>(() => Read(new string('x', 1 << 20))).Message, StringComparison.Ordinal);

    private static WordVectors Read(string text, IReadOnlySet<string>? only = null, int most = int.MaxValue)
        => WordVectorFile.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)), "vectors.txt", only, most);
}
