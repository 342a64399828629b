using System.Runtime.InteropServices;
using System.Text;
using TorchSharp;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>
/// eng/LibTorchSharpCompatibility.targets was made for one version of TorchSharp. When these fail after an upgrade, look at the new
/// file with readelf -V before changing a number here: a symbol that is really called cannot be weakened away.
/// </summary>
public sealed partial class TorchSharpRecipeTests
{
    /// <summary>The newest versions that both Debian 12 (glibc 2.36, GCC 12) and Ubuntu 22.04 (glibc 2.35, GCC 12) define.</summary>
    private static readonly Dictionary<string, Version> NewestEverywhere = new()
    {
        ["GLIBC"] = new(2, 35),
        ["GLIBCXX"] = new(3, 4, 30),
        ["CXXABI"] = new(1, 3, 13),
        ["GCC"] = new(12, 0, 0),
    };

    [Fact]
    public void The_versions_are_those_that_the_recipe_was_made_for()
    {
        Assert.Equal(new Version(0, 107, 0), Three(typeof(torch).Assembly.GetName().Version!));
        Assert.Equal("2.10.0.0", torch.__version__);
        NativeTorch.EnsureLoaded();
        if (OperatingSystem.IsLinux())
            Assert.Equal(0x020A000000000000ul, NativeVersion()); // 2.10.0
    }

    [Fact]
    public void The_library_loads_and_computes()
    {
        NativeTorch.EnsureLoaded();
        NativeTorch.EnsureLoaded();
        using torch.Tensor one = torch.ones(2, 3);
        Assert.Equal(6f, one.sum().item<float>());
    }

    [Fact]
    public void The_build_has_weakened_just_the_one_version_and_the_rest_is_on_every_supported_system()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only the Linux file is treated.");
        IReadOnlyList<ElfVersionNeeds.Need> needs = ElfVersionNeeds.Read(ShimImage());
        Assert.Equal(["GLIBCXX_3.4.32"], needs.Where(need => need.IsWeak).Select(need => need.Version));
        Assert.All(needs.Where(need => !need.IsWeak), need =>
        {
            string[] parts = need.Version.Split('_');
            Assert.True(NewestEverywhere.TryGetValue(parts[0], out Version? newest) && Version.Parse(parts[1]) <= newest, $"{need.Library} {need.Version} is not on Debian 12 and Ubuntu 22.04.");
        });
    }

    [Fact]
    public void Nothing_in_the_library_refers_to_a_symbol_of_the_weakened_version()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only the Linux file is treated.");
        byte[] image = ShimImage();
        int[] weakened = [.. ElfVersionNeeds.Read(image).Where(need => need.IsWeak).Select(need => (int)BitConverter.ToUInt16(image, need.FlagsOffset + 2))];
        Section[] sections = [.. Sections(image)];
        Section symbols = sections.Single(section => section.Type == 11), versions = sections.Single(section => section.Type == 0x6fffffff);
        int names = sections[symbols.Link].Offset;
        int[] affected = [.. Enumerable.Range(0, symbols.Size / 24).Where(i => weakened.Contains(BitConverter.ToUInt16(image, versions.Offset + 2 * i)))];
        Assert.Equal(["_ZSt21ios_base_library_initv"], affected.Select(i => Text(image, names + BitConverter.ToInt32(image, symbols.Offset + 24 * i))));
        foreach (Section relocations in sections.Where(section => section.Type == 4))
        {
            for (int at = relocations.Offset; at < relocations.Offset + relocations.Size; at += 24)
                Assert.DoesNotContain((int)(BitConverter.ToUInt64(image, at + 8) >> 32), affected);
        }
    }

    private readonly record struct Section(uint Type, int Offset, int Size, int Link);

    private static IEnumerable<Section> Sections(byte[] image)
    {
        int first = (int)BitConverter.ToInt64(image, 0x28), count = BitConverter.ToUInt16(image, 0x3C);
        for (int i = 0, at = first; i < count; i++, at += 64)
            yield return new(BitConverter.ToUInt32(image, at + 4), (int)BitConverter.ToInt64(image, at + 0x18), (int)BitConverter.ToInt64(image, at + 0x20), BitConverter.ToInt32(image, at + 0x28));
    }

    private static string Text(byte[] image, int offset) => Encoding.ASCII.GetString(image, offset, Array.IndexOf(image, (byte)0, offset) - offset);

    private static byte[] ShimImage() => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "runtimes/linux-x64/native/libLibTorchSharp.so"));

    private static Version Three(Version version) => new(version.Major, version.Minor, version.Build);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_abi_version")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    private static partial ulong NativeVersion();
}
