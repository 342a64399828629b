using System.Globalization;
using System.Text;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// Unicode's canonical forms and Python's lower case, by tables of our own: a program without ICU (InvariantGlobalization, the rule in small
/// containers) gets its text back unchanged from .NET's Normalize, and the same model would give other vectors there.
/// </summary>
internal static class UnicodeForms
{
    // The arithmetic of Hangul syllables (The Unicode Standard, section 3.12).
    private const int SyllableBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7, Leads = 19, Vowels = 21, Tails = 28;
    private const int Syllables = Leads * Vowels * Tails;

    // Below it no character is changed by composing.
    private const char FirstComposable = '\u0300';

    private static readonly Tables s_tables = new();

    /// <summary>Canonical decomposition (NFD).</summary>
    public static void Decompose(ReadOnlySpan<char> text, ref CharBuffer result) => Decomposed(text).AppendTo(ref result);

    /// <summary>Canonical composition (NFC).</summary>
    public static void Compose(ReadOnlySpan<char> text, ref CharBuffer result)
    {
        if (!text.ContainsAnyInRange(FirstComposable, char.MaxValue))
        {
            result.Append(text);
            return;
        }
        CodePoints points = Decomposed(text);
        int starter = -1, lastClass = 0, kept = 0;
        for (int i = 0; i < points.Count; i++)
        {
            int point = points[i], ownClass = s_tables.Class(point);
            // A mark is blocked from its starter by one of the same or a higher class between them.
            bool isNext = starter == kept - 1;
            if (starter >= 0 && (isNext || lastClass < ownClass) && ComposedOf(points[starter], point) is { } composed)
            {
                points[starter] = composed;
                continue;
            }
            if (ownClass == 0)
                starter = kept;
            lastClass = ownClass;
            points[kept++] = point;
        }
        points.Count = kept;
        points.AppendTo(ref result);
    }

    /// <summary>
    /// Lower case as Python's str.lower gives it: İ becomes i and a dot above, and a sigma at the end of a word its final form. All else is
    /// one character for one.
    /// </summary>
    public static void Lower(ReadOnlySpan<char> text, ref CharBuffer result)
    {
        for (int i = 0; i < text.Length;)
        {
            char c = text[i];
            if (c < 0x80)
            {
                result.Append(char.ToLowerInvariant(c));
                i++;
                continue;
            }
            _ = Rune.DecodeFromUtf16(text[i..], out Rune rune, out int taken);
            if (c == 'İ')
                result.Append("i\u0307");
            else if (c == 'Σ')
                result.Append(EndsWord(text, i) ? 'ς' : 'σ');
            else
                result.Append(Rune.ToLowerInvariant(rune));
            i += taken;
        }
    }

    /// <summary>True for what Python's str.isspace calls a blank: Unicode's white space and four control characters.</summary>
    public static bool IsPythonSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    // Unicode's Final_Sigma: a letter with case before it, none behind it, whatever case ignores in between.
    private static bool EndsWord(ReadOnlySpan<char> text, int place)
    {
        ReadOnlySpan<char> before = text[..place], after = text[(place + 1)..];
        while (Rune.DecodeLastFromUtf16(before, out Rune last, out int taken) == System.Buffers.OperationStatus.Done && taken > 0 && CaseIgnores(last))
            before = before[..^taken];
        while (Rune.DecodeFromUtf16(after, out Rune first, out int taken) == System.Buffers.OperationStatus.Done && taken > 0 && CaseIgnores(first))
            after = after[taken..];
        return Rune.DecodeLastFromUtf16(before, out Rune left, out int some) == System.Buffers.OperationStatus.Done && some > 0 && HasCase(left)
            && !(Rune.DecodeFromUtf16(after, out Rune right, out int more) == System.Buffers.OperationStatus.Done && more > 0 && HasCase(right));
    }

    private static bool HasCase(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        || rune.Value is 0xAA or 0xBA or (>= 0x2160 and <= 0x217F) or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static bool CaseIgnores(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark
            or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol
        || rune.Value is '\'' or '.' or ':' or 0xB7 or 0x387 or 0x55F or 0x5F4 or 0x2018 or 0x2019 or 0x2024 or 0x2027
            or 0xFE13 or 0xFE52 or 0xFE55 or 0xFF07 or 0xFF0E or 0xFF1A;

    private static CodePoints Decomposed(ReadOnlySpan<char> text)
    {
        var points = new CodePoints(text.Length + 8);
        foreach (Rune rune in text.EnumerateRunes())
        {
            int syllable = rune.Value - SyllableBase;
            if (syllable is >= 0 and < Syllables)
            {
                points.Add(LeadBase + syllable / (Vowels * Tails));
                points.Add(VowelBase + syllable % (Vowels * Tails) / Tails);
                if (syllable % Tails != 0)
                    points.Add(TailBase + syllable % Tails);
            }
            else if (s_tables.Decompositions.TryGetValue(rune.Value, out int[]? parts))
                foreach (int part in parts)
                    points.Add(part);
            else
                points.Add(rune.Value);
        }
        Order(points);
        return points;
    }

    /// <summary>Sorts each run of combining marks by class, equal ones in their order.</summary>
    private static void Order(CodePoints points)
    {
        for (int i = 1; i < points.Count; i++)
        {
            int point = points[i], ownClass = s_tables.Class(point), place = i;
            if (ownClass == 0)
                continue;
            for (; place > 0 && s_tables.Class(points[place - 1]) > ownClass; place--)
                points[place] = points[place - 1];
            points[place] = point;
        }
    }

    private static int? ComposedOf(int first, int second)
    {
        if (first is >= LeadBase and < LeadBase + Leads && second is >= VowelBase and < VowelBase + Vowels)
            return SyllableBase + ((first - LeadBase) * Vowels + second - VowelBase) * Tails;
        int syllable = first - SyllableBase;
        if (syllable is >= 0 and < Syllables && syllable % Tails == 0 && second is > TailBase and < TailBase + Tails)
            return first + second - TailBase;
        return s_tables.Compositions.TryGetValue((first, second), out int composed) ? composed : null;
    }

    private sealed class CodePoints(int capacity)
    {
        private int[] _points = new int[capacity];

        public int Count { get; set; }

        public ref int this[int index] => ref _points[index];

        public void Add(int point)
        {
            if (Count == _points.Length)
                Array.Resize(ref _points, 2 * Count);
            _points[Count++] = point;
        }

        public void AppendTo(ref CharBuffer result)
        {
            foreach (int point in _points.AsSpan(0, Count))
                result.Append(new Rune(point));
        }
    }

    private sealed class Tables
    {
        private readonly Dictionary<int, byte> _classes = [];

        public Tables()
        {
            var composing = new List<int>();
            foreach (string line in TokenizerData.Lines("unicode.txt"))
                switch (line.AsSpan().IndexOfAny('=', '!', ':'))
                {
                    case var at when line[at] == ':':
                        int dash = line.IndexOf('-', at);
                        for (int point = TokenizerData.CodePoint(line.AsSpan()[(at + 1)..dash]); point <= TokenizerData.CodePoint(line.AsSpan(dash + 1)); point++)
                            _classes[point] = byte.Parse(line.AsSpan(0, at), CultureInfo.InvariantCulture);
                        break;
                    case var at:
                        int whole = TokenizerData.CodePoint(line.AsSpan(0, at));
                        Decompositions[whole] = [.. TokenizerData.Text(line.AsSpan(at + 1)).EnumerateRunes().Select(rune => rune.Value)];
                        if (line[at] == '=')
                            composing.Add(whole);
                        break;
                }
            // A decomposition is given whole: its first part is what all but its last character compose to.
            foreach (int whole in composing.OrderBy(each => Decompositions[each].Length))
                Compositions[(Folded(Decompositions[whole][..^1]), Decompositions[whole][^1])] = whole;
        }

        public Dictionary<int, int[]> Decompositions { get; } = [];

        public Dictionary<(int First, int Second), int> Compositions { get; } = [];

        public int Class(int point) => point < FirstComposable ? 0 : _classes.GetValueOrDefault(point);

        private int Folded(int[] points) => points.Aggregate((first, second) => Compositions[(first, second)]);
    }
}
