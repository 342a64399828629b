using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace FewLabels;

/// <summary>What the user sees: progress bars on a terminal, plain lines where the output goes to a file.</summary>
internal sealed class Show
{
    private readonly Stopwatch _total = Stopwatch.StartNew();
    private readonly TextWriter _output = Console.Out;
    private readonly bool _plain = Console.IsOutputRedirected;

    public TimeSpan Elapsed => _total.Elapsed;

    public List<(string Title, TimeSpan Time)> Parts { get; } = [];

    public void Line(string text) => _output.WriteLine(text);

    /// <summary>One part of the demo. Its work calls the given function with the fraction done and a short text.</summary>
    public T Part<T>(string title, Func<Action<double, string>, T> work)
    {
        var clock = Stopwatch.StartNew();
        T result = _plain ? Plain(title, work) : WithBar(title, work);
        Parts.Add((title, clock.Elapsed));
        return result;
    }

    public void Table(string[] head, IEnumerable<string[]> rows)
    {
        string[][] all = [head, .. rows];
        int[] widths = [.. head.Select((_, c) => all.Max(r => r[c].Length))];
        string Row(string[] r) => "  " + string.Join("  ", r.Select((cell, c) => cell.PadRight(widths[c]))).TrimEnd();
        Line(Row(head));
        Line(Row([.. widths.Select(w => new string('-', w))]));
        foreach (string[] row in all[1..])
        {
            Line(Row(row));
        }
    }

    private T Plain<T>(string title, Func<Action<double, string>, T> work)
    {
        double next = 0.1;
        var gate = new Lock();
        Line($"{title} ...");
        T result = work((fraction, text) =>
        {
            lock (gate)
            {
                if (fraction >= next && fraction < 1)
                {
                    Line(string.Create(CultureInfo.InvariantCulture, $"  {100 * fraction,3:f0} %  {text}").TrimEnd());
                    next = fraction + 0.1;
                }
            }
        });
        return result;
    }

    private static T WithBar<T>(string title, Func<Action<double, string>, T> work) =>
        AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .Start(context =>
            {
                var bar = context.AddTask(Markup.Escape(title), maxValue: 1);
                T result = work((fraction, text) =>
                {
                    bar.Value = fraction;
                    bar.Description = Markup.Escape(text.Length == 0 ? title : $"{title}: {text}");
                });
                bar.Value = 1;
                bar.Description = Markup.Escape(title);
                return result;
            });
}
